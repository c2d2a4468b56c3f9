// SPDX-License-Identifier: Apache-2.0
//
// Scores: 4 rows x 4 keys (fewer rows: more keys) in 16 accumulators along the head size, summed
// over their lanes together; output: up to 4 rows x 4 keys, a vector of columns at a time. f16 and
// bf16 are widened as they are loaded: converting a panel into scratch first took twice as long.
#include "decode_tile.h"

#include <algorithm>
#include <type_traits>

#include "attest/half.hpp"
#include "lane_sums.h"

namespace attest::cpu {
namespace {

template <typename Io>
int64_t AheadOf(const IoRows& rows, int columns) {
  return rows.stride * ReadAheadRows(columns * static_cast<int64_t>(sizeof(Io)));
}

// Where a line is asked for ahead of its use.
enum class Asks { kNowhere, kL1, kL2 };

// Asks for the line of vector `v`, once.
template <Asks kAsks, typename Io>
HWY_INLINE void Prefetch(const Io* row, int v) {
  constexpr int kLineBytes = 64, kVectorBytes = kLanes * sizeof(Io);
  if constexpr (kAsks != Asks::kNowhere)
    if (kVectorBytes >= kLineBytes || v * kVectorBytes % kLineBytes == 0)
      __builtin_prefetch(row + v * kLanes, 0, kAsks == Asks::kL1 ? 3 : 2);
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

// kDepth: the head size, whole vectors; 0: any.
template <Asks kAsks, int kDepth, int R, int kKeys, typename Io>
HWY_INLINE void ScoreKeys(const Tile& tile, const Io* const (&rows)[kKeys], int64_t ahead,
                          Vec (&sums)[kSums]) {
  const int depth = kDepth == 0 ? tile.depth : kDepth;
  const int vectors = (depth + kLanes - 1) / kLanes;
#pragma GCC unroll 16
  for (int i = 0; i < kSums; ++i) sums[i] = hn::Zero(kTag);
#pragma GCC unroll 1
  for (int v = 0; v < vectors; ++v) {
    Vec q[R];
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) q[i] = hn::LoadU(kTag, tile.q + i * tile.q_stride + v * kLanes);
#pragma GCC unroll 16
    for (int key = 0; key < kKeys; ++key) {
      Prefetch<kAsks>(rows[key] + ahead, v);
      const Vec k = Load(rows[key] + v * kLanes, kDepth == 0 ? depth - v * kLanes : kLanes);
#pragma GCC unroll 4
      for (int i = 0; i < R; ++i)
        sums[i * kKeys + key] = hn::MulAdd(k, q[i], sums[i * kKeys + key]);
    }
  }
}

// The same for one row of queries, all vectors of a key written out: 3 to 6 % faster on a Xeon.
template <Asks kAsks, int kDepth, typename Io>
HWY_INLINE void ScoreKeys(const Tile& tile, const Io* const (&rows)[kSums], int64_t ahead,
                          Vec (&sums)[kSums]) {
#pragma GCC unroll 16
  for (int key = 0; key < kSums; ++key) {
    const Io* next = rows[key] + ahead;
    asm("" : "+r"(next));  // else GCC keeps an address for every vector
    sums[key] = hn::Zero(kTag);
#pragma GCC unroll 16
    for (int v = 0; v < kDepth / kLanes; ++v) {
      Prefetch<kAsks>(next, v);
      const Vec k = Load(rows[key] + v * kLanes, kLanes);
      sums[key] = hn::MulAdd(k, hn::LoadU(kTag, tile.q + v * kLanes), sums[key]);
    }
  }
}

// Row first + index. kCount: `first` is a multiple of it; where it is one of kReadStreams, too, the
// compiler knows the stream of an index that it knows.
template <int kCount, typename Io>
HWY_INLINE const Io* RowOf(const IoRows& rows, int first, int index) {
  const int whole = kCount % kReadStreams == 0 ? first : 0;
  index += first - whole;
  return static_cast<const Io*>(rows.data) +
         (whole / kReadStreams + index / kReadStreams) * rows.stride +
         index % kReadStreams * rows.gap;
}

template <Asks kAsks, int kDepth, int R, typename Io>
void ScoresOf(const Tile& tile, const IoRows& keys) {
  constexpr int kKeys = kSums / (R == 3 ? 4 : R);
  const int64_t ahead = AheadOf<Io>(keys, tile.depth);
  for (int first = 0; first < tile.key_count; first += kKeys) {
    const Io* rows[kKeys];  // the last one again where there are fewer
    const int last = tile.key_count - 1 - first;
    if (last + 1 >= kKeys)
#pragma GCC unroll 16
      for (int key = 0; key < kKeys; ++key) rows[key] = RowOf<kKeys, Io>(keys, first, key);
    else
      for (int key = 0; key < kKeys; ++key)
        rows[key] = RowOf<kKeys, Io>(keys, first, std::min(key, last));
    Vec sums[kSums];
    if constexpr (R == 1 && kDepth != 0)
      ScoreKeys<kAsks, kDepth>(tile, rows, ahead, sums);
    else
      ScoreKeys<kAsks, kDepth, R>(tile, rows, ahead, sums);
    HWY_ALIGN float scores[kSums];  // those beyond the last key are hidden later
    SumEach(sums, scores);
    for (int i = 0; i < R; ++i)
      std::copy_n(scores + i * kKeys, kKeys, tile.p + i * kPanelKeys + first);
  }
}

// The less a vector costs, the farther ahead the CPU looks by itself: with the head size compiled
// in and no conditions in the loop, 134 MB of f32 took 6 to 17 % less time on a Xeon.
template <Asks kAsks, int R, typename Io>
void Scores(const Tile& tile, const IoRows& keys) {
  switch (kAsks == Asks::kNowhere ? 0 : tile.depth) {
    case 64:
      return ScoresOf<kAsks, 64, R, Io>(tile, keys);
    case 128:
      return ScoresOf<kAsks, 128, R, Io>(tile, keys);
    default:
      return ScoresOf<kAsks, 0, R, Io>(tile, keys);
  }
}

// Of rows [first, first + R) of the tile and kKeys keys from `key` on. The output goes through L1
// once for kKeys keys, so that V is read from end to end.
template <Asks kAsks, int R, int kKeys, typename Io>
HWY_INLINE void OutputKeys(const Tile& tile, int first, const IoRows& values, int key,
                           int64_t ahead) {
  float* const out = tile.out + first * tile.out_stride;
  const int64_t out_stride = tile.out_stride;
  const int value_size = tile.value_size;
  const Io* rows[kKeys];
  Vec weights[R][kKeys];
#pragma GCC unroll 4
  for (int k = 0; k < kKeys; ++k) {
    rows[k] = RowOf<kKeys, Io>(values, key, k);
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i)
      weights[i][k] = hn::Set(kTag, tile.p[(first + i) * kPanelKeys + key + k]);
  }
  const auto add = [&](int v, int columns) HWY_ATTR {
    Vec x[kKeys];
#pragma GCC unroll 4
    for (int k = 0; k < kKeys; ++k) {
      Prefetch<kAsks>(rows[k] + ahead, v);
      x[k] = Load(rows[k] + v * kLanes, columns);
    }
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) {
      float* to = out + i * out_stride + v * kLanes;
      Vec sum = hn::LoadU(kTag, to);
#pragma GCC unroll 4
      for (int k = 0; k < kKeys; ++k) sum = hn::MulAdd(weights[i][k], x[k], sum);
      hn::StoreU(sum, kTag, to);
    }
  };
  const int whole = value_size / kLanes;
  for (int v = 0; v < whole; ++v) add(v, kLanes);
  if (value_size % kLanes != 0) add(whole, value_size % kLanes);
}

template <Asks kAsks, int R, typename Io>
void Outputs(const Tile& tile, const IoRows& values) {
  // 4 rows' weights for 4 keys take 16 registers.
  constexpr int kRowsAtOnce = kVectors == 4 ? R : std::min(R, 2);
  const int64_t ahead = AheadOf<Io>(values, tile.value_size);
  const auto keys = [&](auto count, int key) HWY_ATTR {
    OutputKeys<kAsks, kRowsAtOnce, count(), Io>(tile, 0, values, key, ahead);
    if constexpr (kRowsAtOnce < R)
      OutputKeys<Asks::kNowhere, R - kRowsAtOnce, count(), Io>(tile, kRowsAtOnce, values, key, 0);
  };
  int key = 0;
  for (; key + kReadStreams <= tile.key_count; key += kReadStreams)
    keys(std::integral_constant<int, kReadStreams>(), key);
  for (; key < tile.key_count; ++key) keys(std::integral_constant<int, 1>(), key);
}

// Calls visit(a value of the io type, tile.rows, where to ask), the last two as integral constants.
template <typename Visit>
void Dispatch(const Tile& tile, int32_t dtype, bool ahead, Visit visit) {
  const auto with_ahead = [&](auto io, auto rows) {
    if (!ahead)
      visit(io, rows, std::integral_constant<Asks, Asks::kNowhere>());
    else if (HostReadAhead().into_l1)
      visit(io, rows, std::integral_constant<Asks, Asks::kL1>());
    else
      visit(io, rows, std::integral_constant<Asks, Asks::kL2>());
  };
  const auto with_rows = [&](auto io) {
    switch (tile.rows) {
      case 1:
        return with_ahead(io, std::integral_constant<int, 1>());
      case 2:
        return with_ahead(io, std::integral_constant<int, 2>());
      case 3:
        return with_ahead(io, std::integral_constant<int, 3>());
      default:
        return with_ahead(io, std::integral_constant<int, 4>());
    }
  };
  if (dtype == ATTEST_F32) return with_rows(float());
  if (dtype == ATTEST_F16) return with_rows(Half());
  with_rows(Bfloat16());
}

}  // namespace

void DecodeScores(const Tile& tile, const IoRows& keys, bool ahead) {
  Dispatch(tile, keys.dtype, ahead, [&](auto io, auto rows, auto asks) {
    Scores<asks(), rows(), decltype(io)>(tile, keys);
  });
}

void DecodeOutput(const Tile& tile, const IoRows& values, bool ahead) {
  Dispatch(tile, values.dtype, ahead, [&](auto io, auto rows, auto asks) {
    Outputs<asks(), rows(), decltype(io)>(tile, values);
  });
}

}  // namespace attest::cpu
