// SPDX-License-Identifier: Apache-2.0
//
// The process's peak memory, by Linux's own counters. ru_maxrss would not do: it inherits the
// parent's peak and cannot be reset.
#ifndef ATTEST_HARNESS_WORKER_MEMORY_H_
#define ATTEST_HARNESS_WORKER_MEMORY_H_

#include <cstdint>

namespace attest::worker {

// From now on PeakMemoryBytes counts anew.
void ResetPeakMemory();
// The most memory resident since the reset, shared tensors not counted. 0 where /proc does not
// tell.
uint64_t PeakMemoryBytes();

}  // namespace attest::worker

#endif  // ATTEST_HARNESS_WORKER_MEMORY_H_
