// SPDX-License-Identifier: Apache-2.0
#include "linear_tile.h"

#include "amx_blocks.h"
#include "dot.h"
#include "products.h"

namespace attest::cpu {
namespace {

template <int R, int C>
HWY_INLINE void Empty(Vec (&sums)[R][C]) {
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) sums[i][j] = hn::Zero(kTag);
}

// Adds the products of these words, summed up by themselves, to those before them: one chain over
// 768 had three times the error of PyTorch's layer.
template <int R, int C>
HWY_INLINE void AddSums(const Vec (&sums)[R][C], float* to, int64_t stride) {
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) {
      float* at = to + i * stride + j * kLanes;
      hn::StoreU(hn::Add(hn::LoadU(kTag, at), sums[i][j]), kTag, at);
    }
}

struct FloatTiles {
  template <int R, int C>
  static void Add(const LinearTile<float>& tile) {
    Vec sums[R][C];
    Empty<R, C>(sums);
    AddProducts<R, C>(tile.x, tile.x_stride, tile.packed, tile.words, sums);
    AddSums<R, C>(sums, tile.sums, tile.sums_stride);
  }
};

#if HWY_TARGET <= HWY_AVX3

struct DotTiles {
  template <int R, int C>
  ATTEST_DOT static void Add(const LinearTile<Bfloat16>& tile) {
    Vec sums[R][C];
    Empty<R, C>(sums);
    AddDots<R, C>(tile.x, tile.x_stride, tile.packed, tile.words, sums);
    AddSums<R, C>(sums, tile.sums, tile.sums_stride);
  }
};

#endif

}  // namespace

void AddTile(const LinearTile<float>& tile) { RunLinearTile<FloatTiles>(tile); }

#if HWY_TARGET <= HWY_AVX3
void AddTile(const LinearTile<Bfloat16>& tile) { RunLinearTile<DotTiles>(tile); }

ATTEST_AMX void AddAmxTile(const LinearTile<Bfloat16>& tile) {
  BlockRunner runner;
  const int columns = tile.vectors * kLanes;
  for (int column = 0; column < columns; column += kBlockColumns)
    runner.Run({tile.x, tile.x_stride, tile.packed + column, kGroupKeys, tile.words * 2 / kAmxDepth,
                tile.sums + column, tile.sums_stride, columns - column, true});
  runner.Flush();
}

#else
void AddTile(const LinearTile<Bfloat16>&) {}  // never called
void AddAmxTile(const LinearTile<Bfloat16>&) {}
#endif

}  // namespace attest::cpu
