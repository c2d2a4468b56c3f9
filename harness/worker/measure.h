// SPDX-License-Identifier: Apache-2.0
//
// One measured round of a plan: what is timed, and what is done off the clock between calls.
#ifndef ATTEST_HARNESS_WORKER_MEASURE_H_
#define ATTEST_HARNESS_WORKER_MEASURE_H_

#include <functional>
#include <span>

#include "harness/worker/plugin.h"

namespace attest::worker {

// A round of `request` on a plan that is bound to `tensors`. `rebind` binds them again; given only
// where the outputs that the kernel writes are not the host's, so that poison has to be uploaded.
// Throws Refusal where a call fails.
protocol::MeasureReply MeasureRound(Plugin& plugin, attest_plan* plan,
                                    const protocol::Measure& request,
                                    std::span<const attest_tensor> tensors,
                                    const std::function<void()>& rebind);

}  // namespace attest::worker

#endif  // ATTEST_HARNESS_WORKER_MEASURE_H_
