// SPDX-License-Identifier: Apache-2.0
//
// One tile of a linear map of the layer, y = x W^T + b, for attest/linear.hpp: of f32, or of bf16
// as it is, by dot products of pairs. Sums are f32, and rounded once.
#ifndef ATTEST_BACKENDS_CPU_LINEAR_H_
#define ATTEST_BACKENDS_CPU_LINEAR_H_

#include <cstdint>
#include <type_traits>
#include <vector>

#include "attest/aligned_buffer.hpp"
#include "attest/half.hpp"
#include "attest/linear.hpp"
#include "linear_tile.h"
#include "simd.h"

namespace attest::cpu {

// Of float, or of Bfloat16 where the CPU has AVX512_BF16.
template <typename OperandType>
class LinearProduct {
 public:
  using Operand = OperandType;
  static constexpr bool kDots = std::is_same_v<Operand, Bfloat16>;
  static constexpr const char* kName = kDots ? ", dot products of bf16" : "";
  static constexpr linear::TileSizes kTile{512, kPanelKeys, kPanelKeys};

  LinearProduct();
  static uint64_t Bytes();

  // Sums lie in `y` itself where it is f32 and its columns fill whole vectors, else in scratch.
  void Multiply(const linear::Step& step, const Operand* x, const Operand* w, const Operand* bias,
                Operand* y);

 private:
  static constexpr int kWords = 128;  // of `in`, packed at a time: 32 KiB, which stay in L1
  static constexpr int kDepth = kWords * kWordElements<Operand>;

  class Ahead;

  void Pack(const linear::Step& step, const Operand* w, int depth);
  void AddRows(const linear::Step& step, const Operand* x, int depth, Ahead ahead, float* sums,
               int64_t stride);

  AlignedBuffer<Word<Operand>> panel_;  // [group][words][kGroupKeys], as pack.h packs keys
  AlignedBuffer<float> sums_;           // [rows][kPanelKeys]
  AlignedBuffer<Operand> rows_;         // [kRows][kDepth], where a sum ends within a pair
  std::vector<float> ones_;             // what the packing of f32 multiplies by
};

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_LINEAR_H_
