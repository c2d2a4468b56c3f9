// SPDX-License-Identifier: Apache-2.0
//
// The register tile is that of the scores in tile.cpp, 6 rows x 4 vectors of columns, against rows
// of W packed as keys are. Sums pass through memory once every 128 products.
// BERT-base at L = 512 in f32 (hidden 768, biases, output map), two threads of a Zen 5, of the
// FMA rate measured in the run: flash 73 to 77 %.
#include "linear.h"

#include <algorithm>
#include <array>
#include <utility>

#include "pack.h"

namespace attest::cpu {
namespace {

// sums += x w^T for up to kRows rows and kGroupKeys columns.
struct Block {
  const float* x;
  int64_t x_stride;
  const float* packed;  // [depth][kGroupKeys]
  int depth;
  float* sums;
  int64_t sums_stride;
};

template <int R, int C>
HWY_INLINE void Add(const Block& block, int vectors) {
  if constexpr (C > 1)
    if (vectors < C) return Add<R, C - 1>(block, vectors);
  const float* HWY_RESTRICT x = block.x;
  const float* HWY_RESTRICT packed = block.packed;
  const int64_t stride = block.x_stride;
  const int depth = block.depth;
  Vec sums[R][C];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j)
      sums[i][j] = hn::LoadU(kTag, block.sums + i * block.sums_stride + j * kLanes);
#pragma GCC unroll 4
  for (int c = 0; c < depth; ++c) {
    Vec w[C];
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) w[j] = hn::Load(kTag, packed + c * kGroupKeys + j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const Vec a = hn::Set(kTag, x[i * stride + c]);
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) sums[i][j] = hn::MulAdd(a, w[j], sums[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j)
      hn::StoreU(sums[i][j], kTag, block.sums + i * block.sums_stride + j * kLanes);
}

template <int R>
void AddRows(const Block& block, int vectors) {
  Add<R, kVectors>(block, vectors);
}

using Kernel = void (*)(const Block&, int);

template <int... kFewer>
constexpr std::array<Kernel, sizeof...(kFewer)> Kernels(std::integer_sequence<int, kFewer...>) {
  return {&AddRows<kFewer + 1>...};
}

// By rows - 1.
constexpr auto kKernels = Kernels(std::make_integer_sequence<int, kRows>());

}  // namespace

LinearProduct::LinearProduct()
    : panel_(kPanelKeys * kDepth), sums_(kTile.rows * kPanelKeys), ones_(kDepth, 1.0f) {}

uint64_t LinearProduct::Bytes() {
  return sizeof(float) * (kPanelKeys * kDepth + kTile.rows * kPanelKeys + kDepth);
}

void LinearProduct::Multiply(const linear::Step& step, const float* x, const float* w,
                             const float* bias, float* y) {
  const int columns = static_cast<int>(step.columns);
  const bool in_place = columns % kLanes == 0;
  float* sums = in_place ? y : sums_.data();
  const int64_t stride = in_place ? step.y_stride : kPanelKeys;
  for (int64_t row = 0; row < step.rows; ++row) {
    if (bias == nullptr)
      std::fill_n(sums + row * stride, columns, 0.0f);
    else
      std::copy_n(bias, columns, sums + row * stride);
  }
  for (int64_t first = 0; first < step.in; first += kDepth) {
    const int depth = static_cast<int>(std::min<int64_t>(kDepth, step.in - first));
    PackKeys({w + first, step.w_stride}, columns, depth, ones_.data(), panel_.data());
    for (int64_t row = 0; row < step.rows; row += kRows) {
      const Kernel kernel = kKernels[std::min<int64_t>(kRows, step.rows - row) - 1];
      for (int column = 0; column < columns; column += kGroupKeys) {
        const int vectors = (std::min(kGroupKeys, columns - column) + kLanes - 1) / kLanes;
        kernel({x + row * step.x_stride + first, step.x_stride,
                panel_.data() + static_cast<int64_t>(column) * depth, depth,
                sums + row * stride + column, stride},
               vectors);
      }
    }
  }
  for (int64_t row = 0; !in_place && row < step.rows; ++row)
    std::copy_n(sums + row * stride, columns, y + row * step.y_stride);
}

}  // namespace attest::cpu
