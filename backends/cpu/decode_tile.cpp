// SPDX-License-Identifier: Apache-2.0
//
// Scores: 4 rows x 4 keys (fewer rows: more keys) in 16 accumulators along the head size, summed
// over their lanes together; output: up to 4 rows x 4 vectors, or 2 x 8. f16 and
// bf16 are widened as they are loaded: converting a panel into scratch first took twice as long.
#include "decode_tile.h"

#include <algorithm>
#include <type_traits>

#include "attest/half.hpp"
#include "attest/prefetch.hpp"
#include "lane_sums.h"

namespace attest::cpu {
namespace {

// What is asked for ahead of the element in use, in elements. far 0: nothing more; `twice`: the
// near one again, 3 % faster on an EPYC (Zen 5) without a far one.
struct Ahead {
  int64_t near = 0, far = 0;
  bool twice = false;
};

// What a loop asks for ahead. kLooks: as Ahead says, which it looks at for every vector: without
// those branches 4 rows took 5 % more time on a Xeon, in whatever order they asked and loaded.
enum class Asks { kNothing, kBoth, kNearTwice, kLooks };

// Whether memory is the limit, not the arithmetic: then rows of K and V are read from end to end,
// by tiles that keep less in registers. Measured on an EPYC (Zen 5) with 4 rows of queries: f32 is
// 15 % faster so from memory and 6 % from the L3, bf16 16 % slower. On a Xeon (Emerald Rapids) 4
// keys at once are up to 3 % faster, and V in two passes of 4 rows 6 to 8 %.
template <int R, typename Io>
constexpr bool kMemoryLimits = R == 1 || sizeof(Io) == sizeof(float);

template <int R, typename Io>
Ahead AheadOf(int64_t stride, int columns) {
  const auto rows = StreamPrefetchRows(columns * static_cast<int64_t>(sizeof(Io)));
  return {rows.near * stride, rows.far * stride, rows.far == 0 && kMemoryLimits<R, Io>};
}

// Of vector `v` of a row. Without a far distance kLooks asks for the line in use.
template <Asks kAsks, typename Io>
HWY_INLINE void Prefetch(const Io* row, int v, Ahead ahead) {
  if constexpr (kAsks != Asks::kNothing) {
    constexpr int kStep = kFarStepBytes / (kLanes * sizeof(Io));
    const Io* from = row + v * kLanes;
    __builtin_prefetch(from + ahead.near, 0, 3);
    if (kAsks == Asks::kNearTwice || (kAsks == Asks::kLooks && ahead.twice))
      __builtin_prefetch(from + ahead.near, 0, 3);
    if (kAsks != Asks::kNearTwice && v % kStep == 0) __builtin_prefetch(from + ahead.far, 0, 2);
  }
}

// The first `count` lanes of a vector of any element type; all of them where the CPU cannot leave
// memory alone (the rows are whole vectors then).
template <typename Tag>
HWY_INLINE hn::Vec<Tag> LoadLanes(Tag tag, const hn::TFromD<Tag>* from, int count) {
  if (kMaskedMemory && count < kLanes)
    return hn::MaskedLoad(hn::FirstN(tag, static_cast<size_t>(count)), tag, from);
  return hn::LoadU(tag, from);
}

HWY_INLINE Vec Load(const float* from, int count) { return LoadLanes(kTag, from, count); }

HWY_INLINE Vec Load(const Bfloat16* from, int count) {
  const hn::Rebind<uint16_t, FloatTag> narrow;
  const hn::Rebind<uint32_t, FloatTag> wide;
  const auto bits = LoadLanes(narrow, reinterpret_cast<const uint16_t*>(from), count);
  return hn::BitCast(kTag, hn::ShiftLeft<16>(hn::PromoteTo(wide, bits)));
}

HWY_INLINE Vec Load(const Half* from, int count) {
  const hn::Rebind<uint16_t, FloatTag> bits;
  const hn::Rebind<hwy::float16_t, FloatTag> halves;
  const auto lanes = LoadLanes(bits, reinterpret_cast<const uint16_t*>(from), count);
  return hn::PromoteTo(kTag, hn::BitCast(halves, lanes));
}

// Accumulators of a score tile: keys x rows.
constexpr int kSums = kVectors == 2 ? 8 : 16;

// out[i] = sum of the lanes of sums[i].
HWY_INLINE void SumEach(const Vec (&sums)[kSums], float* out) {
#if HWY_TARGET <= HWY_AVX3
  hn::StoreU(LaneSums(sums), kTag, out);
#else
  for (int i = 0; i < kSums; ++i) out[i] = Sum(sums[i]);
#endif
}

// kStep: keys of which a vector is used in turn. kDepth: the head size, whole vectors; 0: any.
template <Asks kAsks, int kDepth, int R, int kKeys, int kStep, typename Io>
HWY_INLINE void ScoreKeys(const Tile& tile, const Io* const (&rows)[kKeys], Ahead ahead,
                          Vec (&sums)[kSums]) {
  const int depth = kDepth == 0 ? tile.depth : kDepth;
  const int vectors = (depth + kLanes - 1) / kLanes;
#pragma GCC unroll 16
  for (int i = 0; i < kSums; ++i) sums[i] = hn::Zero(kTag);
#pragma GCC unroll 16
  for (int first = 0; first < kKeys; first += kStep)
    for (int v = 0; v < vectors; ++v) {
      Vec q[R];
#pragma GCC unroll 4
      for (int i = 0; i < R; ++i) q[i] = hn::LoadU(kTag, tile.q + i * tile.q_stride + v * kLanes);
#pragma GCC unroll 16
      for (int key = first; key < first + kStep; ++key) {
        Prefetch<kAsks>(rows[key], v, ahead);
        const Vec k = Load(rows[key] + v * kLanes, kDepth == 0 ? depth - v * kLanes : kLanes);
#pragma GCC unroll 4
        for (int i = 0; i < R; ++i)
          sums[i * kKeys + key] = hn::MulAdd(k, q[i], sums[i * kKeys + key]);
      }
    }
}

// The same for one row of queries, all vectors of a key written out.
template <Asks kAsks, int kDepth, typename Io>
HWY_INLINE void ScoreKeys(const Tile& tile, const Io* const (&rows)[kSums], Ahead ahead,
                          Vec (&sums)[kSums]) {
#pragma GCC unroll 16
  for (int key = 0; key < kSums; ++key) {
    const Io* near = rows[key] + ahead.near;
    asm("" : "+r"(near));  // else GCC keeps an address for every vector
    sums[key] = hn::Zero(kTag);
#pragma GCC unroll 16
    for (int v = 0; v < kDepth / kLanes; ++v) {
      Prefetch<kAsks>(near, v, {0, ahead.far - ahead.near});  // as seen from there
      const Vec k = Load(rows[key] + v * kLanes, kLanes);
      sums[key] = hn::MulAdd(k, hn::LoadU(kTag, tile.q + v * kLanes), sums[key]);
    }
  }
}

template <Asks kAsks, int kDepth, int R, typename Io>
void ScoresOf(const Tile& tile, const Io* keys, int64_t stride, Ahead ahead) {
  constexpr int kKeys = kSums / (R == 3 ? 4 : R);
  for (int first = 0; first < tile.key_count; first += kKeys) {
    const Io* rows[kKeys];  // the last one again where there are fewer
    for (int key = 0; key < kKeys; ++key)
      rows[key] = keys + std::min(first + key, tile.key_count - 1) * stride;
    Vec sums[kSums];
    if constexpr (R == 1 && kDepth != 0)
      ScoreKeys<kAsks, kDepth>(tile, rows, ahead, sums);
    else if (kMemoryLimits<R, Io> && (R == 1 || StreamInOrder()))
      ScoreKeys<kAsks, kDepth, R, kKeys, 1>(tile, rows, ahead, sums);
    else
      ScoreKeys<kAsks, kDepth, R, kKeys, kKeys>(tile, rows, ahead, sums);
    HWY_ALIGN float scores[kSums];  // those beyond the last key are hidden later
    SumEach(sums, scores);
    for (int i = 0; i < R; ++i)
      std::copy_n(scores + i * kKeys, kKeys, tile.p + i * kPanelKeys + first);
  }
}

// The less a vector costs, the farther ahead the CPU looks by itself: with the head size compiled
// in and no conditions in the loop, 134 MB of f32 took 6 to 17 % less time on a Xeon; with one row
// and the vectors of a key written out 3 to 6 % less again.
template <Asks kAsks, int R, typename Io>
void Scores(const Tile& tile, const Io* keys, int64_t stride, Ahead ahead) {
  switch (tile.depth) {
    case 64:
      return ScoresOf<kAsks, 64, R>(tile, keys, stride, ahead);
    case 128:
      return ScoresOf<kAsks, 128, R>(tile, keys, stride, ahead);
    default:
      return ScoresOf<kAsks, 0, R>(tile, keys, stride, ahead);
  }
}

// Rows [first, first + R) of the tile, columns [column, column + C kLanes).
// kWhole: all of them are columns of V.
template <Asks kAsks, bool kWhole, int R, int C, typename Io>
HWY_INLINE void Output(const Tile& tile, int first, const Io* values, int64_t stride, int column,
                       Ahead ahead) {
  float* HWY_RESTRICT out = tile.out + first * tile.out_stride + column;
  const float* HWY_RESTRICT p = tile.p + first * kPanelKeys;
  Vec sums[R][C];
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < C; ++j)
      sums[i][j] = hn::LoadU(kTag, out + i * tile.out_stride + j * kLanes);
  for (int key = 0; key < tile.key_count; ++key) {
    const Io* row = values + key * stride + column;
    Vec weights[R];
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) weights[i] = hn::Set(kTag, p[i * kPanelKeys + key]);
#pragma GCC unroll 8
    for (int j = 0; j < C; ++j) {
      Prefetch<kAsks>(row, j, ahead);
      const Vec v = Load(row + j * kLanes, kWhole ? kLanes : tile.value_size - column - j * kLanes);
#pragma GCC unroll 4
      for (int i = 0; i < R; ++i) sums[i][j] = hn::MulAdd(weights[i], v, sums[i][j]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < C; ++j)
      hn::StoreU(sums[i][j], kTag, out + i * tile.out_stride + j * kLanes);
}

template <Asks kAsks, int R, typename Io>
void OutputsOf(const Tile& tile, const Io* values, int64_t stride, Ahead ahead) {
  int column = 0;
  const auto fits = [&](int vectors) { return column + vectors * kLanes <= tile.value_size; };
  if constexpr (kVectors == 4 && (R <= 2 || kMemoryLimits<R, Io>)) {
    const bool wide = R <= 2 || StreamInOrder();
    for (; wide && fits(8); column += 8 * kLanes) {
      Output<kAsks, true, std::min(R, 2), 8>(tile, 0, values, stride, column, ahead);
      if constexpr (R > 2)
        Output<Asks::kNothing, true, R - 2, 8>(tile, 2, values, stride, column, {});
    }
  }
  for (; fits(kVectors); column += kVectors * kLanes)
    Output<kAsks, true, R, kVectors>(tile, 0, values, stride, column, ahead);
  for (; column < tile.value_size; column += kLanes)
    Output<kAsks, false, R, 1>(tile, 0, values, stride, column, ahead);
}

// Calls visit(what to ask for, how far ahead) for rows of `columns` elements.
template <int R, typename Io, typename Visit>
void WithAhead(int64_t stride, int columns, bool wanted, Visit visit) {
  const Ahead ahead = AheadOf<R, Io>(stride, columns);
  if (!wanted) return visit(std::integral_constant<Asks, Asks::kNothing>(), ahead);
  if constexpr (R > 1)
    visit(std::integral_constant<Asks, Asks::kLooks>(), ahead);
  else if (ahead.twice)
    visit(std::integral_constant<Asks, Asks::kNearTwice>(), ahead);
  else
    visit(std::integral_constant<Asks, Asks::kBoth>(), ahead);
}

// Calls visit(rows of the io type, std::integral_constant of tile.rows).
template <typename Visit>
void Dispatch(const Tile& tile, IoRows rows, Visit visit) {
  const auto with_rows = [&](auto* data) {
    switch (tile.rows) {
      case 1:
        return visit(data, std::integral_constant<int, 1>());
      case 2:
        return visit(data, std::integral_constant<int, 2>());
      case 3:
        return visit(data, std::integral_constant<int, 3>());
      default:
        return visit(data, std::integral_constant<int, 4>());
    }
  };
  if (rows.dtype == ATTEST_F32) return with_rows(static_cast<const float*>(rows.data));
  if (rows.dtype == ATTEST_F16) return with_rows(static_cast<const Half*>(rows.data));
  with_rows(static_cast<const Bfloat16*>(rows.data));
}

}  // namespace

void DecodeScores(const Tile& tile, IoRows keys, bool ahead) {
  Dispatch(tile, keys, [&](const auto* data, auto rows) {
    using Io = std::remove_cvref_t<decltype(*data)>;
    constexpr int R = decltype(rows)::value;
    WithAhead<R, Io>(keys.stride, tile.depth, ahead, [&](auto asks, Ahead distances) {
      if constexpr (asks == Asks::kNothing)
        ScoresOf<asks, 0, R>(tile, data, keys.stride, distances);
      else
        Scores<asks, R>(tile, data, keys.stride, distances);
    });
  });
}

void DecodeOutput(const Tile& tile, IoRows values, bool ahead) {
  Dispatch(tile, values, [&](const auto* data, auto rows) {
    using Io = std::remove_cvref_t<decltype(*data)>;
    constexpr int R = decltype(rows)::value;
    WithAhead<R, Io>(values.stride, tile.value_size, ahead, [&](auto asks, Ahead distances) {
      OutputsOf<asks, R>(tile, data, values.stride, distances);
    });
  });
}

}  // namespace attest::cpu
