// SPDX-License-Identifier: Apache-2.0
//
// How a loop on the host's CPU should read what it streams through: K and V of a decoding step. In
// four streams at once, each asked for a little ahead, because a CPU's own prefetcher runs at most
// some twenty lines ahead of a stream and stops at every 4 KB. Two threads reading up to 134 MB of
// K and V (d = 128) on a Xeon (Emerald Rapids): four streams take 8 to 12 % less time than one with
// the best distances for it (4 KB into L1, one line in eight 24 KB ahead into L2), with four query
// rows 15 to 20 %; 512 bytes ahead of each are 1 % better from the L3 and 5 % worse from memory
// than 1024, 2048 the other way round, and asking for more into L2 costs 3 %.
#ifndef ATTEST_PREFETCH_HPP_
#define ATTEST_PREFETCH_HPP_

#include <algorithm>
#include <cstdint>

namespace attest {

inline constexpr int kReadStreams = 4;
inline constexpr int64_t kReadAheadBytes = 1024;  // in each stream

// The same in whole rows, at least one.
inline int64_t ReadAheadRows(int64_t row_bytes) {
  return std::max<int64_t>(1, kReadAheadBytes / row_bytes);
}

}  // namespace attest

#endif  // ATTEST_PREFETCH_HPP_
