// SPDX-License-Identifier: Apache-2.0
//
// What register tiles do with scores between the product with the keys and exp2, whatever the
// product was computed with: hide keys, keep scores near their row's shift.
#ifndef ATTEST_BACKENDS_CPU_SETTLE_H_
#define ATTEST_BACKENDS_CPU_SETTLE_H_

#include <algorithm>

#include "softmax_rows.h"

namespace attest::cpu {

template <int R, int C>
HWY_INLINE void Store(const Vec (&scores)[R][C], float* p) {
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) hn::Store(scores[i][j], kTag, p + i * kPanelKeys + j * kLanes);
}

// -inf where a key is hidden from its row. Without a window all rows begin at or before the group.
template <int R, int C>
HWY_INLINE void Hide(const Tile& tile, int first_key, Vec (&scores)[R][C]) {
  const bool begins = *std::max_element(tile.begin, tile.begin + R) > first_key;
  const Vec hidden = hn::Set(kTag, kMinusInfinity);
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    const Vec begin = hn::Set(kTag, static_cast<float>(tile.begin[i] - first_key));
    const Vec end = hn::Set(kTag, static_cast<float>(tile.end[i] - first_key));
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) {
      const Vec key = hn::Iota(kTag, static_cast<float>(j * kLanes));
      scores[i][j] = hn::IfThenElse(hn::Lt(key, end), scores[i][j], hidden);
      if (begins) scores[i][j] = hn::IfThenElse(hn::Ge(key, begin), scores[i][j], hidden);
    }
  }
}

// Whether every score is near enough to its row's shift; NaN is not. While the tile is unsettled
// every lane of every row must have met a score of some size, which keeps sums from underflow.
template <int R, int C>
HWY_INLINE bool InRange(const Tile& tile, const Vec (&scores)[R][C]) {
  Vec maxima[C];  // one chain of maxima over all scores took 2 to 3 % of the whole time on a Xeon
#pragma GCC unroll 4
  for (int j = 0; j < C; ++j) {
    maxima[j] = scores[0][j];
#pragma GCC unroll 8
    for (int i = 1; i < R; ++i) maxima[j] = hn::Max(maxima[j], scores[i][j]);
  }
  Vec highest = maxima[0];
#pragma GCC unroll 4
  for (int j = 1; j < C; ++j) highest = hn::Max(highest, maxima[j]);
  if (HWY_UNLIKELY(!hn::AllTrue(kTag, hn::Le(highest, hn::Set(kTag, kHighest))))) return false;
  if (HWY_LIKELY((*tile.state & kUnsettled) == 0)) return true;
  Vec lowest = hn::Set(kTag, kHighest);
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    Vec row = scores[i][0];
#pragma GCC unroll 4
    for (int j = 1; j < C; ++j) row = hn::Max(row, scores[i][j]);
    lowest = hn::Min(lowest, row);
  }
  const bool settled =
      kLanes >= 4 && hn::AllTrue(kTag, hn::Ge(lowest, hn::Set(kTag, kLowestStart)));
  if (settled) *tile.state &= kShifted;
  return settled;
}

// Scores (exponents of 2, minus shifts) of one group of keys made ready for exp2.
template <int R, int C, bool kMasked>
HWY_INLINE void Settle(const Tile& tile, int first_key, Vec (&scores)[R][C]) {
  float* HWY_RESTRICT p = tile.p + first_key;
  if constexpr (kMasked) Hide<R, C>(tile, first_key, scores);
  if (HWY_UNLIKELY(!(InRange<R, C>(tile, scores)))) {
    Store<R, C>(scores, p);
    MoveShifts(tile, first_key, C * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) scores[i][j] = hn::Load(kTag, p + i * kPanelKeys + j * kLanes);
  }
  if (HWY_UNLIKELY(*tile.state & kShifted)) {
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) scores[i][j] = DropSmall(scores[i][j]);
  }
}

// What the rows of `out` are multiplied by behind the last panel; 0 for a row that saw no key.
template <int R>
HWY_INLINE void SetFactors(const Tile& tile, float (&factors)[R]) {
  for (int i = 0; i < R; ++i) {
    const float sum = tile.last ? Sum(hn::Load(kTag, tile.sums + i * kLanes)) : 0.0f;
    factors[i] = sum > 0 ? 1 / sum : sum;  // NaN stays
  }
}

constexpr int VectorsOf(int columns) { return (columns + kLanes - 1) / kLanes; }

// How many of `left` vectors of columns the next tile takes, so that all take about the same.
constexpr int EvenPart(int left) {
  const int tiles = (left + kVectors - 1) / kVectors;
  return (left + tiles - 1) / tiles;
}

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_SETTLE_H_
