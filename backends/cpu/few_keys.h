// SPDX-License-Identifier: Apache-2.0
//
// Scores of a last panel of a few keys (197 tokens are three panels and 5), with AVX-512.
#ifndef ATTEST_BACKENDS_CPU_FEW_KEYS_H_
#define ATTEST_BACKENDS_CPU_FEW_KEYS_H_

#include <algorithm>

#include "lane_sums.h"
#include "tile.h"

#if HWY_TARGET <= HWY_AVX3

namespace attest::cpu {

// scores = start + q k^T for R rows and up to kFewKeys keys, which lie in rows of whole vectors
// (pack.h): 3 rows of queries x 5 keys at a time.
template <int R>
HWY_INLINE void MultiplyFew(const Tile& tile, const float* start, Vec (&scores)[R][1]) {
  constexpr int kRowsAtOnce = 16 / kFewKeys;
  // Lanes of the sums where a row's keys begin; what follows them is hidden later.
  alignas(64) static constexpr int32_t kLanesOf[kRowsAtOnce][16] = {
      {0, 1, 2, 3, 4}, {5, 6, 7, 8, 9}, {10, 11, 12, 13, 14}};
  const int vectors = (tile.depth + kLanes - 1) / kLanes;
  const int lanes = tile.depth - (vectors - 1) * kLanes;
#pragma GCC unroll 2
  for (int first = 0; first < R; first += kRowsAtOnce) {
    Vec sums[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) sums[i] = hn::Zero(kTag);
    for (int v = 0; v < vectors; ++v) {
      const __mmask16 mask = static_cast<__mmask16>(v + 1 < vectors ? 0xffff : (1u << lanes) - 1);
      Vec q[kRowsAtOnce];
#pragma GCC unroll 4
      for (int i = 0; i < kRowsAtOnce; ++i)
        q[i] = Vec{_mm512_maskz_loadu_ps(
            mask, tile.q + std::min(first + i, R - 1) * tile.q_stride + v * kLanes)};
#pragma GCC unroll 8
      for (int key = 0; key < kFewKeys; ++key) {
        const Vec k = hn::Load(kTag, tile.keys + (key * vectors + v) * kLanes);
#pragma GCC unroll 4
        for (int i = 0; i < kRowsAtOnce; ++i)
          sums[i * kFewKeys + key] = hn::MulAdd(q[i], k, sums[i * kFewKeys + key]);
      }
    }
    const Vec all = LaneSums(sums);
    for (int i = 0; i < std::min(kRowsAtOnce, R - first); ++i) {
      const Vec row = hn::TableLookupLanes(all, hn::SetTableIndices(kTag, kLanesOf[i]));
      scores[first + i][0] = start == nullptr ? row : hn::Add(row, hn::Set(kTag, start[first + i]));
    }
  }
}

}  // namespace attest::cpu

#endif

#endif  // ATTEST_BACKENDS_CPU_FEW_KEYS_H_
