// SPDX-License-Identifier: Apache-2.0
#include "dot_tile.h"

#include "dispatch.h"
#include "dot.h"
#include "pair_softmax.h"

#if HWY_TARGET <= HWY_AVX3

namespace attest::cpu {
namespace {

// scores = q k^T for R rows and C vectors of keys; kDepth = 0: the depth of the tile.
template <int kDepth, int R, int C>
ATTEST_DOT_INLINE void Multiply(const DotTile& tile, Vec (&scores)[R][C]) {
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) scores[i][j] = hn::Zero(kTag);
  const int pairs = ((kDepth != 0 ? kDepth : tile.depth) + 1) / 2;
  AddDots<R, C>(tile.q_pairs, tile.q_pairs_stride, tile.key_pairs, pairs, scores);
}

template <int kDepth, int R, int C, bool kMasked>
ATTEST_DOT_INLINE void ScoreGroup(const DotTile& tile) {
  Vec scores[R][C];
  Multiply<kDepth, R, C>(tile, scores);
  AddPairs<R, C, kMasked>(tile, scores);
}

// Through memory, where softcap or a mask changes the scores.
template <int R>
ATTEST_DOT_INLINE void RuledGroup(const DotTile& tile) {
  Vec scores[R][kVectors];
  Multiply<0, R, kVectors>(tile, scores);
  AddRuledPairs<R>(tile, scores);
}

template <int R, int C>
ATTEST_DOT_INLINE void MaskedGroup(const DotTile& tile, int vectors) {
  if constexpr (C > 1)
    if (vectors < C) return MaskedGroup<R, C - 1>(tile, vectors);
  ScoreGroup<0, R, C, true>(tile);
}

template <int kDepth, int R>
ATTEST_DOT void Scores(const DotTile& tile) {
  if (tile.rules != nullptr)
    RuledGroup<R>(tile);
  else if (tile.masked)
    MaskedGroup<R, kVectors>(tile, (tile.key_count + kLanes - 1) / kLanes);
  else
    ScoreGroup<kDepth, R, kVectors, false>(tile);
}

// sums += P V of one pair of keys; kHalf: of its first key only, whatever V holds in the other.
template <int R, int C, bool kHalf>
ATTEST_DOT_INLINE void AddPair(const Pair* values, const Pair* p, Vec (&sums)[R][C]) {
  __m512bh v[C];
#pragma GCC unroll 4
  for (int j = 0; j < C; ++j)
    v[j] = kHalf ? LoadFirsts(values + j * kLanes) : LoadPairs(values + j * kLanes);
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    const __m512bh weight = BroadcastPair(p + i * kPanelKeys / 2);
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) sums[i][j] = DotAdd(sums[i][j], weight, v[j]);
  }
}

// out (+)= P V for R rows and C vectors of columns from `column` on.
template <int R, int C>
ATTEST_DOT_INLINE void OutTile(const DotTile& tile, int column, const float* factors) {
  const Pair* HWY_RESTRICT values = tile.value_pairs + column;
  float* HWY_RESTRICT out = tile.out + column;
  const int64_t width = tile.value_width, out_stride = tile.out_stride;
  Vec sums[R][C];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) sums[i][j] = hn::Zero(kTag);
  const int pairs = tile.key_count / 2;
#pragma GCC unroll 4
  for (int pair = 0; pair < pairs; ++pair)
    AddPair<R, C, false>(values + pair * width, tile.p_pairs + pair, sums);
  if (tile.key_count % 2 != 0)
    AddPair<R, C, true>(values + pairs * width, tile.p_pairs + pairs, sums);
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) {
      float* to = out + i * out_stride + j * kLanes;
      if (!tile.first) sums[i][j] = hn::Add(sums[i][j], hn::Load(kTag, to));
      const Vec o = tile.last ? hn::Mul(sums[i][j], hn::Set(kTag, factors[i])) : sums[i][j];
      hn::Store(o, kTag, to);
    }
}

template <int R, int C>
ATTEST_DOT_INLINE void OutColumns(const DotTile& tile, int column, int vectors,
                                  const float* factors) {
  if constexpr (C > 1)
    if (vectors < C) return OutColumns<R, C - 1>(tile, column, vectors, factors);
  OutTile<R, C>(tile, column, factors);
}

// out += P V, divided by the sums in the last panel; 0 for a row that saw no key.
template <int R>
ATTEST_DOT void Output(const DotTile& tile) {
  float factors[R];
  SetFactors<R>(tile, factors);
  for (int column = 0, left = VectorsOf(tile.value_size); left > 0;) {
    const int vectors = EvenPart(left);
    OutColumns<R, kVectors>(tile, column, vectors, factors);
    column += vectors * kLanes;
    left -= vectors;
  }
}

struct DotKernels {
  template <int kDepth, int R>
  ATTEST_DOT static void Compute(const DotTile& tile) {
    Scores<kDepth, R>(tile);
    Output<R>(tile);
  }
};

}  // namespace

void ComputeTile(const DotTile& tile) { Dispatch<DotKernels>(tile); }

}  // namespace attest::cpu

#else

void attest::cpu::ComputeTile(const DotTile&) {}  // never called

#endif
