// SPDX-License-Identifier: Apache-2.0
//
// How much memory can still be had. Linux only.
#ifndef ATTEST_HARNESS_CORE_MEMORY_H_
#define ATTEST_HARNESS_CORE_MEMORY_H_

namespace attest {

// Bytes the kernel says can be had without swapping (MemAvailable); 0 where it does not say.
double AvailableMemoryBytes();

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_MEMORY_H_
