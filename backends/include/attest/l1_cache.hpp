// SPDX-License-Identifier: Apache-2.0
//
// The L1 data cache of the CPU's cores, for kernels that choose the order of their work by it.
#ifndef ATTEST_L1_CACHE_HPP_
#define ATTEST_L1_CACHE_HPP_

#include <algorithm>
#include <cstdint>

#if defined(__linux__)
#include <unistd.h>
#endif

namespace attest {

// Bytes; 32 KiB where the system does not say.
inline int64_t L1Bytes() {
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  if (const long bytes = sysconf(_SC_LEVEL1_DCACHE_SIZE); bytes > 0) return bytes;
#endif
  return 32 << 10;
}

// Whether a tile should use a panel of f32 keys and then at once its values: both fit into the
// cache beside what passes through it, or one alone does not fit either. Otherwise each should
// serve several tiles before the other one does.
inline bool PanelsShareL1(int64_t keys, int64_t head_size, int64_t v_head_size) {
  static const int64_t l1 = L1Bytes();
  const int64_t row_bytes = static_cast<int64_t>(sizeof(float)) * keys;
  const int64_t both = row_bytes * (head_size + v_head_size);
  const int64_t larger = row_bytes * std::max(head_size, v_head_size);
  return both <= l1 / 4 * 3 || larger > l1 / 8 * 7;
}

}  // namespace attest

#endif  // ATTEST_L1_CACHE_HPP_
