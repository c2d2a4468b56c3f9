// SPDX-License-Identifier: Apache-2.0
//
// The plan behind every variant, of sdpa and of the layer: the kernels of linear maps, of sdpa, and
// of the output map, enqueued in that order.
#ifndef ATTEST_OPENCL_PLAN_H_
#define ATTEST_OPENCL_PLAN_H_

#include <memory>

#include "linear_kernel.h"
#include "sdpa_kernels.h"
#include "session.h"

namespace attest::opencl {

// Bytes of device memory that a problem of either operation needs beyond the tensors;
// `recipe_bytes` is the scratch of its sdpa.
uint64_t PlanBytes(const Request& request, LinearFile file, const Session& session,
                   uint64_t recipe_bytes);

// Allocates, and runs the kernels once with nothing to do. The recipe is that of the sdpa inside,
// the file that of a layer's maps. The session is borrowed. Throws DeviceError, OutOfMemory.
// [setup]
std::unique_ptr<TimedPlan> MakePlan(const Request& request, Session& session, Recipe recipe,
                                    LinearFile file = LinearFile::kVec);

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_PLAN_H_
