// SPDX-License-Identifier: Apache-2.0
//
// From scores that a product of bf16 gave to P rounded to bf16, in pairs of neighbouring keys.
#ifndef ATTEST_BACKENDS_CPU_PAIR_SOFTMAX_H_
#define ATTEST_BACKENDS_CPU_PAIR_SOFTMAX_H_

#include "dot.h"
#include "dot_tile.h"
#include "settle.h"

#if HWY_TARGET <= HWY_AVX3

namespace attest::cpu {

template <int R, int C>
HWY_INLINE void ScaleAndShift(const DotTile& tile, const float* shifts, Vec (&scores)[R][C]) {
  const Vec factor = hn::Set(kTag, tile.factor);
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    const Vec shift = shifts == nullptr ? hn::Zero(kTag) : hn::Set(kTag, shifts[i]);
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) scores[i][j] = hn::MulAdd(scores[i][j], factor, shift);
  }
}

// P of C vectors of keys from q k^T of R rows. Rounded P is divided by a sum of rounded P, so that
// one key that outweighs all others gets the weight 1; by a sum of P as it was, the error of causal
// outputs was up to four times PyTorch's, whose largest P is 1.
template <int R, int C, bool kMasked>
ATTEST_DOT_INLINE void AddPairs(const DotTile& tile, Vec (&scores)[R][C]) {
  const bool sums_rounded = tile.sums_rounded;
  ScaleAndShift<R, C>(tile, tile.shifts, scores);
  Settle<R, C, kMasked>(tile, 0, scores);
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    float* HWY_RESTRICT row_sum = tile.sums + i * kLanes;
    Vec sum = hn::Load(kTag, row_sum);
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) {
      scores[i][j] = CoarseWeight(scores[i][j]);
      if (!sums_rounded) sum = hn::Add(sum, scores[i][j]);
    }
#pragma GCC unroll 2
    for (int j = 0; j < C; j += 2) {
      const __m512bh pairs =
          RoundPairs(scores[i][j], j + 1 < C ? scores[i][j + 1] : hn::Zero(kTag));
      StorePairs(pairs, tile.p_pairs + (i * kPanelKeys + j * kLanes) / 2);
      if (sums_rounded) sum = AddBoth(sum, pairs);
    }
    hn::Store(sum, kTag, row_sum);
  }
}

// The same of a whole panel through memory, where softcap or a mask changes the scores.
template <int R>
ATTEST_DOT_INLINE void AddRuledPairs(const DotTile& tile, Vec (&scores)[R][kVectors]) {
  ScaleAndShift<R, kVectors>(tile, nullptr, scores);
  Store<R, kVectors>(scores, tile.p);
  SoftmaxRows(tile, kPanelKeys);
  for (int i = 0; i < R; ++i) {
    float* HWY_RESTRICT row_sum = tile.sums + i * kLanes;
    Vec sum = hn::Load(kTag, row_sum);
    for (int j = 0; j < kVectors; j += 2) {
      const float* p = tile.p + i * kPanelKeys + j * kLanes;
      const Vec low = hn::Load(kTag, p), high = hn::Load(kTag, p + kLanes);
      const __m512bh pairs = RoundPairs(low, high);
      StorePairs(pairs, tile.p_pairs + (i * kPanelKeys + j * kLanes) / 2);
      // What rounding changes: SoftmaxRows has added P as it was.
      if (tile.sums_rounded) sum = hn::Sub(AddBoth(sum, pairs), hn::Add(low, high));
    }
    hn::Store(sum, kTag, row_sum);
  }
}

}  // namespace attest::cpu

#endif
#endif  // ATTEST_BACKENDS_CPU_PAIR_SOFTMAX_H_
