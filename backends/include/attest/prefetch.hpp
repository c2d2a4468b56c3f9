// SPDX-License-Identifier: Apache-2.0
//
// How far ahead a loop on the host's CPU should ask for the memory that it streams through.
#ifndef ATTEST_PREFETCH_HPP_
#define ATTEST_PREFETCH_HPP_

#include <algorithm>
#include <cstdint>

namespace attest {

// Distances in bytes; 0: nothing is asked for.
struct PrefetchDistances {
  int64_t near = 0;  // into L1
  int64_t far = 0;   // into L2, a line in kFarStepBytes: that starts the CPU's own prefetcher
};
inline constexpr int64_t kFarStepBytes = 512;

// Two threads reading 134 MB of K and V (decoding, d = 128): on a Xeon (Emerald Rapids) both
// distances together read half as much again as the CPU's own prefetcher, which stops at every 4
// KB; asking for every line far ahead, too, costs 5 to 12 % where K and V come from the L3. On an
// EPYC (Zen 5) the far one costs 5 % or more, the near one alone brings 17 %.
inline PrefetchDistances StreamPrefetch() {
#if defined(__x86_64__)
  if (__builtin_cpu_is("amd")) return {12288, 0};
#endif
  return {4096, 24576};
}

// Whether reading memory in its very order is worth a second pass over what is in L1 by then.
inline bool StreamInOrder() {
#if defined(__x86_64__)
  return __builtin_cpu_is("amd") != 0;
#else
  return true;
#endif
}

// The distances in whole rows of `row_bytes`, at least one where there is a distance.
inline PrefetchDistances StreamPrefetchRows(int64_t row_bytes) {
  const PrefetchDistances bytes = StreamPrefetch();
  const auto rows = [row_bytes](int64_t distance) {
    return distance == 0 ? 0 : std::max<int64_t>(1, distance / row_bytes);
  };
  return {rows(bytes.near), rows(bytes.far)};
}

}  // namespace attest

#endif  // ATTEST_PREFETCH_HPP_
