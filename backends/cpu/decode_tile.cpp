// SPDX-License-Identifier: Apache-2.0
#include "decode_tile.h"

#include <algorithm>

namespace attest::cpu {
namespace {

// Rows of K and V ahead of the one in use. On a Xeon with AVX-512 both together read half as much
// again as the CPU's own prefetcher, which stops at every 4 KB.
constexpr int64_t kNear = 16;  // into L1
constexpr int64_t kFar = 48;   // into L2

HWY_INLINE void Prefetch(const float* from, int64_t stride, bool ahead) {
  if (!ahead) return;
  __builtin_prefetch(from + kNear * stride, 0, 3);
  __builtin_prefetch(from + kFar * stride, 0, 2);
}

// Vector `index` of a row of `columns`; lanes beyond the last column are 0 or harmless.
HWY_INLINE Vec LoadPart(const float* row, int index, int columns) {
  const int left = columns - index * kLanes;
  if (kMaskedMemory && left < kLanes)
    return hn::MaskedLoad(hn::FirstN(kTag, static_cast<size_t>(left)), kTag, row + index * kLanes);
  return hn::LoadU(kTag, row + index * kLanes);
}

template <int R, int kKeys>
HWY_INLINE void ScoreKeys(const Tile& tile, const float* const (&rows)[kKeys], int64_t stride,
                          bool ahead, Vec (&sums)[kKeys][R]) {
  const int vectors = (tile.depth + kLanes - 1) / kLanes;
#pragma GCC unroll 8
  for (int key = 0; key < kKeys; ++key)
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) sums[key][i] = hn::Zero(kTag);
  for (int v = 0; v < vectors; ++v) {
    Vec q[R];
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) q[i] = hn::LoadU(kTag, tile.q + i * tile.q_stride + v * kLanes);
#pragma GCC unroll 8
    for (int key = 0; key < kKeys; ++key) {
      Prefetch(rows[key] + v * kLanes, stride, ahead);
      const Vec k = LoadPart(rows[key], v, tile.depth);
#pragma GCC unroll 4
      for (int i = 0; i < R; ++i) sums[key][i] = hn::MulAdd(k, q[i], sums[key][i]);
    }
  }
}

template <int R>
void Scores(const Tile& tile, const float* keys, int64_t stride, bool ahead) {
  constexpr int kKeys = R > 2 ? 4 : 8;
  for (int first = 0; first < tile.key_count; first += kKeys) {
    const float* rows[kKeys];  // the last one again where there are fewer
    for (int key = 0; key < kKeys; ++key)
      rows[key] = keys + std::min(first + key, tile.key_count - 1) * stride;
    Vec sums[kKeys][R];
    ScoreKeys<R, kKeys>(tile, rows, stride, ahead, sums);
    for (int key = 0; key < kKeys && first + key < tile.key_count; ++key)
      for (int i = 0; i < R; ++i) tile.p[i * kPanelKeys + first + key] = Sum(sums[key][i]);
  }
}

template <int R, int C>
HWY_INLINE void Output(const Tile& tile, int vector, bool ahead) {
  float* HWY_RESTRICT out = tile.out + vector * kLanes;
  Vec sums[R][C];
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < C; ++j)
      sums[i][j] = hn::LoadU(kTag, out + i * tile.out_stride + j * kLanes);
  for (int key = 0; key < tile.key_count; ++key) {
    const float* row = tile.values + key * tile.value_stride;
    Vec weights[R];
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) weights[i] = hn::Set(kTag, tile.p[i * kPanelKeys + key]);
#pragma GCC unroll 8
    for (int j = 0; j < C; ++j) {
      Prefetch(row + (vector + j) * kLanes, tile.value_stride, ahead);
      const Vec v = LoadPart(row, vector + j, tile.value_size);
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

template <int R>
void Outputs(const Tile& tile, bool ahead) {
  constexpr int kWide = kVectors == 2 ? 2 : R > 2 ? 4 : 8;
  const int vectors = (tile.value_size + kLanes - 1) / kLanes;
  int vector = 0;
  for (; vector + kWide <= vectors; vector += kWide) Output<R, kWide>(tile, vector, ahead);
  for (; vector < vectors; ++vector) Output<R, 1>(tile, vector, ahead);
}

}  // namespace

void DecodeScores(const Tile& tile, const float* keys, int64_t key_stride, bool ahead) {
  switch (tile.rows) {
    case 1:
      return Scores<1>(tile, keys, key_stride, ahead);
    case 2:
      return Scores<2>(tile, keys, key_stride, ahead);
    case 3:
      return Scores<3>(tile, keys, key_stride, ahead);
    default:
      return Scores<4>(tile, keys, key_stride, ahead);
  }
}

void DecodeOutput(const Tile& tile, bool ahead) {
  switch (tile.rows) {
    case 1:
      return Outputs<1>(tile, ahead);
    case 2:
      return Outputs<2>(tile, ahead);
    case 3:
      return Outputs<3>(tile, ahead);
    default:
      return Outputs<4>(tile, ahead);
  }
}

}  // namespace attest::cpu
