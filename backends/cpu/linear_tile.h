// SPDX-License-Identifier: Apache-2.0
//
// The register tile of linear maps, that of the scores in tile.h and dot_tile.h, 6 rows x 4 vectors
// of columns: y += x W^T for some words of the sum, W packed as keys are.
#ifndef ATTEST_BACKENDS_CPU_LINEAR_TILE_H_
#define ATTEST_BACKENDS_CPU_LINEAR_TILE_H_

#include <array>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "attest/half.hpp"
#include "dot_tile.h"
#include "simd.h"

namespace attest::cpu {

// What the packed sum's dimension consists of: numbers in f32, pairs of neighbours in bf16.
template <typename Operand>
using Word = std::conditional_t<std::is_same_v<Operand, float>, float, Pair>;

template <typename Operand>
inline constexpr int kWordElements = sizeof(Word<Operand>) / sizeof(Operand);

// sums += x w^T for up to kRows rows and kGroupKeys columns.
template <typename Operand>
struct LinearTile {
  const Operand* x;  // [rows][words x kWordElements]
  int64_t x_stride;
  const Word<Operand>* packed;  // [words][kGroupKeys]
  int words;
  float* sums;
  int64_t sums_stride;
  int rows, vectors;  // >= 1
};

void AddTile(const LinearTile<float>& tile);
void AddTile(const LinearTile<Bfloat16>& tile);  // only with AVX512_BF16

// The same for kAmxRows rows, which x and sums hold whatever `rows` says, and words for a multiple
// of kAmxDepth elements; between StartTiles and StopTiles. Only where HasAmx().
void AddAmxTile(const LinearTile<Bfloat16>& tile);

// Kernels::Add<R, C>(tile) computes R rows and C vectors.
template <typename Kernels, typename Tile, int... kIndex>
void RunLinearTile(const Tile& tile, std::integer_sequence<int, kIndex...>) {
  using Kernel = void (*)(const Tile&);
  constexpr std::array<Kernel, sizeof...(kIndex)> kernels = {
      &Kernels::template Add<kIndex / kVectors + 1, kIndex % kVectors + 1>...};
  kernels[static_cast<size_t>((tile.rows - 1) * kVectors + tile.vectors - 1)](tile);
}

template <typename Kernels, typename Tile>
void RunLinearTile(const Tile& tile) {
  RunLinearTile<Kernels>(tile, std::make_integer_sequence<int, kRows * kVectors>());
}

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_LINEAR_TILE_H_
