// SPDX-License-Identifier: Apache-2.0
//
// What the host can do at best with a number of threads, measured in about a second: the rates that
// a backend's time is compared with. Best of a few short trials.
#ifndef ATTEST_HARNESS_WORKER_CEILINGS_H_
#define ATTEST_HARNESS_WORKER_CEILINGS_H_

#include <cstdint>

#include "harness/worker/protocol.h"

namespace attest::worker {

// Multiply-adds in f32 and bf16 dots (0 where the CPU has no such instruction; tile instructions
// are not measured), and reads of `footprint_bytes` (0 and more than 512 MiB: 512 MiB). Starts and
// ends its own threads.
protocol::CeilingsReply MeasureHostCeilings(uint32_t threads, uint64_t footprint_bytes);

}  // namespace attest::worker

#endif  // ATTEST_HARNESS_WORKER_CEILINGS_H_
