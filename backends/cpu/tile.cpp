// SPDX-License-Identifier: Apache-2.0
//
// The two register tiles. Scores: 6 rows x 4 vectors of keys, six broadcasts and four loads for 24
// multiply-adds; output: 6 rows x up to 4 vectors of columns. Both walk their sum in one chain.
//
// Measured on a Xeon (Emerald Rapids, AVX-512), f32, one thread, processor time, as a share of the
// FMA rate measured in the same thread, while other programs used the machine (so +-4 %): L = 1024
// d = 64 93 %, d = 128 92 %, causal 86 and 87 %; L = 128 90 %, L = 197 84 %; d = 40 78 %, 80 and 96
// 89 %. Against normal scores: peaky and rising 97 %, large (about 100) 93 % at d = 64 and 96 % at
// 128; with subnormal P large ran at 19 %, with subnormal products of P and V (kUnit) at 83 and
// 84 %. Tried without gain: a wider range around the shift (2^48) for large scores; small P added
// to O one by one, or rows of small P scaled for the product.
#include "tile.h"

#include "dispatch.h"
#include "few_keys.h"
#include "products.h"
#include "settle.h"

namespace attest::cpu {
namespace {

// How far apart rows of an operand lie: as the tile says, or `kStride` floats, which spares the
// loops a pointer for each row. While others use the core's second hardware thread every
// instruction counts: this and one look at `first` and `last` a tile, where there had been 48, took
// 5 % of the instructions and 1 to 4 % of the time.
template <int kStride>
constexpr int64_t StrideOf(int64_t stride) {
  return kStride != 0 ? kStride : stride;
}

// scores = start + q k^T for R rows and C vectors of keys; kDepth = 0: the depth of the tile.
template <int kDepth, int kStride, int R, int C>
HWY_INLINE void Multiply(const Tile& tile, int first_key, const float* start, Vec (&scores)[R][C]) {
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j)
      scores[i][j] = start == nullptr ? hn::Zero(kTag) : hn::Set(kTag, start[i]);
  const int depth = kDepth != 0 ? kDepth : tile.depth;
  AddProducts<R, C>(tile.q, StrideOf<kStride>(tile.q_stride),
                    tile.keys + static_cast<int64_t>(first_key) * depth, depth, scores);
}

// P of one group of keys, added to the sums.
template <int R, int C, bool kMasked>
HWY_INLINE void AddGroup(const Tile& tile, int first_key, Vec (&scores)[R][C]) {
  float* HWY_RESTRICT p = tile.p + first_key;
  Settle<R, C, kMasked>(tile, first_key, scores);
  Vec sums[R];
#pragma GCC unroll 4
  for (int j = 0; j < C; ++j)
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const Vec e = Weight(scores[i][j]);
      hn::Store(e, kTag, p + i * kPanelKeys + j * kLanes);
      sums[i] = j == 0 ? e : hn::Add(sums[i], e);
    }
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    float* HWY_RESTRICT sum = tile.sums + i * kLanes;
    hn::Store(hn::Add(sums[i], hn::Load(kTag, sum)), kTag, sum);
  }
}

template <int kDepth, int kStride, int R, int C, bool kMasked>
HWY_INLINE void ScoreGroup(const Tile& tile, int first_key) {
  Vec scores[R][C];
  Multiply<kDepth, kStride, R, C>(tile, first_key, tile.shifts, scores);
  AddGroup<R, C, kMasked>(tile, first_key, scores);
}

#if HWY_TARGET <= HWY_AVX3
template <int R>
HWY_NOINLINE void ScoreFew(const Tile& tile) {
  Vec scores[R][1];
  MultiplyFew<R>(tile, tile.rules != nullptr ? nullptr : tile.shifts, scores);
  if (tile.rules == nullptr) return AddGroup<R, 1, true>(tile, 0, scores);
  Store<R, 1>(scores, tile.p);
  SoftmaxRows(tile, kLanes);
}
#endif

// Groups that hold the panel's keys.
int GroupsOf(const Tile& tile) { return (tile.key_count + kGroupKeys - 1) / kGroupKeys; }

template <int R, int C>
HWY_INLINE void RawGroup(const Tile& tile, int first_key) {
  Vec scores[R][C];
  Multiply<0, 0, R, C>(tile, first_key, nullptr, scores);
  Store<R, C>(scores, tile.p + first_key);
}

template <int kDepth, int kStride, int R, int C>
HWY_INLINE void MaskedGroup(const Tile& tile, int first_key, int vectors) {
  if constexpr (C > 1)
    if (vectors < C) return MaskedGroup<kDepth, kStride, R, C - 1>(tile, first_key, vectors);
  ScoreGroup<kDepth, kStride, R, C, true>(tile, first_key);
}

// P of a panel with softcap or masks.
template <int R>
HWY_NOINLINE void RuledScores(const Tile& tile) {
  const int groups = GroupsOf(tile);
  for (int group = 0; group < groups; ++group) RawGroup<R, kVectors>(tile, group * kGroupKeys);
  SoftmaxRows(tile, groups * kGroupKeys);
}

// P of a panel that is cut off or that rows see parts of.
template <int kDepth, int kStride, int R>
void PartScores(const Tile& tile) {
  const int vectors = VectorsOf(tile.key_count);
  for (int group = 0; group < GroupsOf(tile); ++group)
    MaskedGroup<kDepth, kStride, R, kVectors>(tile, group * kGroupKeys,
                                              std::min(vectors - group * kVectors, kVectors));
}

// P of a whole panel that all rows see.
template <int kDepth, int kStride, int R>
void WholeScores(const Tile& tile) {
  for (int first_key = 0; first_key < kPanelKeys; first_key += kGroupKeys)
    ScoreGroup<kDepth, kStride, R, kVectors, false>(tile, first_key);
}

template <int kDepth, int R>
void Scores(const Tile& tile) {
#if HWY_TARGET <= HWY_AVX3
  if (tile.few) return ScoreFew<R>(tile);
#endif
  if (tile.rules != nullptr) return RuledScores<R>(tile);
  const bool dense = kDepth != 0 && tile.q_stride == kDepth;
  if (tile.masked) return dense ? PartScores<kDepth, kDepth, R>(tile) : PartScores<0, 0, R>(tile);
  return dense ? WholeScores<kDepth, kDepth, R>(tile) : WholeScores<kDepth, 0, R>(tile);
}

// out (+)= P V for R rows and C vectors of columns from `column` on. A panel is summed up by itself
// first: one chain over all keys had three times the error at L = 2048, and was no faster.
// kPartial: the last vector has only `lanes` columns.
template <int kStride, int R, int C, bool kPartial>
HWY_INLINE void OutTile(const Tile& tile, int column, int lanes, const float* factors) {
  const auto mask = hn::FirstN(kTag, static_cast<size_t>(lanes));
  const auto load = [&](const float* from, int j) HWY_ATTR {
    return kPartial && j == C - 1 ? hn::MaskedLoad(mask, kTag, from + j * kLanes)
                                  : hn::LoadU(kTag, from + j * kLanes);
  };
  const float* HWY_RESTRICT values = tile.values + column;
  const float* HWY_RESTRICT p = tile.p;
  float* HWY_RESTRICT out = tile.out + column;
  const int64_t value_stride = StrideOf<kStride>(tile.value_stride), out_stride = tile.out_stride;
  const bool adds = !tile.first, divides = tile.last;  // stores to `out` could change the tile
  Vec sums[R][C];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) sums[i][j] = hn::Zero(kTag);
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
  for (int i = 0; i < R; ++i) {
    float* row = out + i * out_stride;
    const Vec factor = hn::Set(kTag, factors[i]);
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) {
      if (adds) sums[i][j] = hn::Add(sums[i][j], load(row, j));
      const Vec o = divides ? hn::Mul(sums[i][j], factor) : sums[i][j];
      if (kPartial && j == C - 1)
        hn::BlendedStore(o, mask, kTag, row + j * kLanes);
      else
        hn::StoreU(o, kTag, row + j * kLanes);
    }
  }
}

template <int R, int C>
HWY_INLINE void OutColumns(const Tile& tile, int column, int vectors, const float* factors) {
  if constexpr (C > 1)
    if (vectors < C) return OutColumns<R, C - 1>(tile, column, vectors, factors);
  const int lanes = std::min(tile.value_size - column - (C - 1) * kLanes, kLanes);
  if (kMaskedMemory && lanes < kLanes)
    OutTile<0, R, C, true>(tile, column, lanes, factors);
  else
    OutTile<0, R, C, false>(tile, column, kLanes, factors);
}

// Rows of V without gaps, of a size that is compiled in.
template <int kSize, int R>
void DenseOutput(const Tile& tile, const float* factors) {
  static_assert(kSize % kGroupKeys == 0);
  for (int column = 0; column < kSize; column += kGroupKeys)
    OutTile<kSize, R, kVectors, false>(tile, column, kLanes, factors);
}

// out += P V, divided by the sums in the last panel; 0 for a row that saw no key.
template <int R>
void Output(const Tile& tile) {
  float factors[R];
  SetFactors<R>(tile, factors);
  if constexpr (R == kRows)
    if (tile.value_stride == tile.value_size) {
      if (tile.value_size == 64) return DenseOutput<64, R>(tile, factors);
      if (tile.value_size == 128) return DenseOutput<128, R>(tile, factors);
    }
  for (int column = 0, left = VectorsOf(tile.value_size); left > 0;) {
    const int vectors = EvenPart(left);
    OutColumns<R, kVectors>(tile, column, vectors, factors);
    column += vectors * kLanes;
    left -= vectors;
  }
}

struct ScoreKernels {
  template <int kDepth, int R>
  static void Compute(const Tile& tile) {
    Scores<kDepth, R>(tile);
  }
};

struct OutputKernels {
  template <int kDepth, int R>
  static void Compute(const Tile& tile) {
    Output<R>(tile);
  }
};

struct FloatKernels {
  template <int kDepth, int R>
  static void Compute(const Tile& tile) {
    Scores<kDepth, R>(tile);
    Output<R>(tile);
  }
};

}  // namespace

void ComputeTile(const Tile& tile) { Dispatch<FloatKernels>(tile); }

void ComputeScores(const Tile& tile) { Dispatch<ScoreKernels>(tile); }

void ComputeOutput(const Tile& tile) { Dispatch<OutputKernels>(tile); }

}  // namespace attest::cpu
