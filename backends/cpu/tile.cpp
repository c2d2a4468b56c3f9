// SPDX-License-Identifier: Apache-2.0
//
// The two register tiles. Scores: 6 rows x 4 vectors of keys, six broadcasts and four loads for 24
// multiply-adds; output: 6 rows x up to 4 vectors of columns. Both walk their sum in one chain.
//
// Measured on a Xeon (Emerald Rapids, AVX-512), f32, one thread, processor time, as a share of the
// FMA rate measured in the same thread, while other programs used the machine (so +-4 %): L = 1024
// d = 64 93 %, d = 128 92 %, causal 86 and 87 %; L = 128 90 %, L = 197 84 %; d = 40 78 %, 80 and 96
// 89 %. Against normal scores: peaky 97 %, rising 97 %, large (about 100) 88 % at d = 64 and 93 %
// at 128; before subnormal P were dropped, large ran at 19 %. Tried without gain: a wider range
// around the shift (2^48) for large scores. bf16 is computed in f32 on purpose: on that CPU bf16
// dot products reach half the FMA rate (227 of 453 GFLOP/s).
#include "tile.h"

#include <array>
#include <utility>

#include "softmax_rows.h"

namespace attest::cpu {
namespace {

// scores = start + q k^T for R rows and C vectors of keys; kDepth = 0: the depth of the tile.
template <int kDepth, int R, int C>
HWY_INLINE void Multiply(const Tile& tile, const float* HWY_RESTRICT keys, const float* start,
                         Vec (&scores)[R][C]) {
  const int depth = kDepth != 0 ? kDepth : tile.depth;
  const float* HWY_RESTRICT q = tile.q;
  const int64_t stride = tile.q_stride;
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j)
      scores[i][j] = start == nullptr ? hn::Zero(kTag) : hn::Set(kTag, start[i]);
#pragma GCC unroll 4
  for (int c = 0; c < depth; ++c) {
    Vec k[C];
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) k[j] = hn::Load(kTag, keys + c * kGroupKeys + j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const Vec a = hn::Set(kTag, q[i * stride + c]);
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) scores[i][j] = hn::MulAdd(a, k[j], scores[i][j]);
    }
  }
}

template <int R, int C>
HWY_INLINE void Store(const Vec (&scores)[R][C], float* p) {
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) hn::Store(scores[i][j], kTag, p + i * kPanelKeys + j * kLanes);
}

// -inf where a key is hidden from its row.
template <int R, int C>
HWY_INLINE void Hide(const Tile& tile, int first_key, Vec (&scores)[R][C]) {
  for (int i = 0; i < R; ++i) {
    const Vec begin = hn::Set(kTag, static_cast<float>(tile.begin[i] - first_key));
    const Vec end = hn::Set(kTag, static_cast<float>(tile.end[i] - first_key));
    for (int j = 0; j < C; ++j) {
      const Vec key = hn::Iota(kTag, static_cast<float>(j * kLanes));
      const auto seen = hn::And(hn::Ge(key, begin), hn::Lt(key, end));
      scores[i][j] = hn::IfThenElse(seen, scores[i][j], hn::Set(kTag, kMinusInfinity));
    }
  }
}

// Whether every score is near enough to its row's shift; NaN is not. While the tile is unsettled
// every lane of every row must have met a score of some size, which keeps sums from underflow.
template <int R, int C>
HWY_INLINE bool InRange(const Tile& tile, const Vec (&scores)[R][C]) {
  Vec highest = scores[0][0];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) highest = hn::Max(highest, scores[i][j]);
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

// P of one group of keys, added to the sums.
template <int kDepth, int R, int C, bool kMasked>
HWY_INLINE void ScoreGroup(const Tile& tile, int first_key) {
  const float* keys = tile.keys + static_cast<int64_t>(first_key) * tile.depth;
  float* HWY_RESTRICT p = tile.p + first_key;
  Vec scores[R][C];
  Multiply<kDepth, R, C>(tile, keys, tile.shifts, scores);
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
  Vec sums[R];
#pragma GCC unroll 4
  for (int j = 0; j < C; ++j)
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const Vec e = Exp2(scores[i][j]);
      hn::Store(e, kTag, p + i * kPanelKeys + j * kLanes);
      sums[i] = j == 0 ? e : hn::Add(sums[i], e);
    }
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    float* HWY_RESTRICT sum = tile.sums + i * kLanes;
    hn::Store(hn::Add(sums[i], hn::Load(kTag, sum)), kTag, sum);
  }
}

template <int R, int C>
HWY_INLINE void RawGroup(const Tile& tile, int first_key) {
  const float* keys = tile.keys + static_cast<int64_t>(first_key) * tile.depth;
  Vec scores[R][C];
  Multiply<0, R, C>(tile, keys, nullptr, scores);
  Store<R, C>(scores, tile.p + first_key);
}

template <int R, int C>
HWY_INLINE void MaskedGroup(const Tile& tile, int first_key, int vectors) {
  if constexpr (C > 1)
    if (vectors < C) return MaskedGroup<R, C - 1>(tile, first_key, vectors);
  ScoreGroup<0, R, C, true>(tile, first_key);
}

// P of the whole panel.
template <int kDepth, int R>
void Scores(const Tile& tile) {
  const int vectors = (tile.key_count + kLanes - 1) / kLanes;
  const int groups = (vectors + kVectors - 1) / kVectors;
  for (int group = 0; group < groups; ++group) {
    const int first_key = group * kGroupKeys;
    if (tile.rules != nullptr)
      RawGroup<R, kVectors>(tile, first_key);
    else if (tile.masked)
      MaskedGroup<R, kVectors>(tile, first_key, std::min(vectors - group * kVectors, kVectors));
    else
      ScoreGroup<kDepth, R, kVectors, false>(tile, first_key);
  }
  if (tile.rules != nullptr) SoftmaxRows(tile, groups * kGroupKeys);
}

// out (+)= P V for R rows and C vectors of columns from `column` on. kPartial: the last vector has
// only `lanes` columns.
template <int R, int C, bool kPartial>
HWY_INLINE void OutTile(const Tile& tile, int column, int lanes, const float* factors) {
  const auto mask = hn::FirstN(kTag, static_cast<size_t>(lanes));
  const auto load = [&](const float* from, int j) HWY_ATTR {
    return kPartial && j == C - 1 ? hn::MaskedLoad(mask, kTag, from + j * kLanes)
                                  : hn::LoadU(kTag, from + j * kLanes);
  };
  const float* HWY_RESTRICT values = tile.values + column;
  const float* HWY_RESTRICT p = tile.p;
  float* HWY_RESTRICT out = tile.out + column;
  const int64_t value_stride = tile.value_stride, out_stride = tile.out_stride;
  Vec sums[R][C];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j)
      sums[i][j] = tile.first ? hn::Zero(kTag) : load(out + i * out_stride, j);
  const int keys = tile.key_count;
#pragma GCC unroll 4
  for (int key = 0; key < keys; ++key) {
    Vec v[C];
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) v[j] = load(values + key * value_stride, j);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const Vec weight = hn::Set(kTag, p[i * kPanelKeys + key]);
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) sums[i][j] = hn::MulAdd(weight, v[j], sums[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) {
      float* to = out + i * out_stride + j * kLanes;
      const Vec o = tile.last ? hn::Mul(sums[i][j], hn::Set(kTag, factors[i])) : sums[i][j];
      if (kPartial && j == C - 1)
        hn::BlendedStore(o, mask, kTag, to);
      else
        hn::StoreU(o, kTag, to);
    }
}

template <int R, int C>
HWY_INLINE void OutColumns(const Tile& tile, int column, int vectors, const float* factors) {
  if constexpr (C > 1)
    if (vectors < C) return OutColumns<R, C - 1>(tile, column, vectors, factors);
  const int lanes = std::min(tile.value_size - column - (C - 1) * kLanes, kLanes);
  if (kMaskedMemory && lanes < kLanes)
    OutTile<R, C, true>(tile, column, lanes, factors);
  else
    OutTile<R, C, false>(tile, column, kLanes, factors);
}

// out += P V, divided by the sums in the last panel; 0 for a row that saw no key.
template <int R>
void Output(const Tile& tile) {
  float factors[R] = {};
  if (tile.last)
    for (int i = 0; i < R; ++i) {
      const float sum = Sum(hn::Load(kTag, tile.sums + i * kLanes));
      factors[i] = sum > 0 ? 1 / sum : sum;  // NaN stays
    }
  int left = (tile.value_size + kLanes - 1) / kLanes;
  for (int column = 0; left > 0;) {
    const int chunks = (left + kVectors - 1) / kVectors;
    const int vectors = (left + chunks - 1) / chunks;
    OutColumns<R, kVectors>(tile, column, vectors, factors);
    column += vectors * kLanes;
    left -= vectors;
  }
}

template <int kDepth, int R>
void Compute(const Tile& tile) {
  Scores<kDepth, R>(tile);
  Output<R>(tile);
}

using Kernel = void (*)(const Tile&);

template <int... kFewer>
Kernel FewerRows(int rows, std::integer_sequence<int, kFewer...>) {
  constexpr std::array<Kernel, sizeof...(kFewer)> kernels = {&Compute<0, kFewer + 1>...};
  return kernels[static_cast<size_t>(rows - 1)];
}

}  // namespace

void ComputeTile(const Tile& tile) {
  if (tile.rows < kRows)
    FewerRows(tile.rows, std::make_integer_sequence<int, kRows - 1>())(tile);
  else if (tile.depth == 64)
    Compute<64, kRows>(tile);
  else if (tile.depth == 128)
    Compute<128, kRows>(tile);
  else
    Compute<0, kRows>(tile);
}

}  // namespace attest::cpu
