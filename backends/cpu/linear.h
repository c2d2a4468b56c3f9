// SPDX-License-Identifier: Apache-2.0
//
// One tile of a linear map of the layer, y = x W^T + b, for attest/linear.hpp: of f32, or of bf16
// as it is, by dot products of pairs or AMX. Sums are f32, and rounded once.
#ifndef ATTEST_BACKENDS_CPU_LINEAR_H_
#define ATTEST_BACKENDS_CPU_LINEAR_H_

#include <cstdint>
#include <type_traits>
#include <vector>

#include "amx.h"
#include "attest/aligned_buffer.hpp"
#include "attest/half.hpp"
#include "attest/linear.hpp"
#include "bfloat_products.h"
#include "linear_tile.h"
#include "pack.h"
#include "simd.h"

namespace attest::cpu {

// Of float by multiply-adds, or of Bfloat16 by what the CPU has to have.
template <typename OperandType, BfloatProducts kProducts>
class LinearProduct {
 public:
  using Operand = OperandType;
  static constexpr bool kPairs = std::is_same_v<Operand, Bfloat16>;
  static constexpr bool kTiles = kProducts == BfloatProducts::kTiles;
  static_assert(kPairs == (kProducts != BfloatProducts::kMultiplyAdds));
  static constexpr const char* kName = NameOf(kProducts);
  static constexpr linear::TileSizes kTile{512, kPanelKeys, kPanelKeys};

  LinearProduct();
  static uint64_t Bytes();

  // `bias` is null where there is none.
  void Multiply(const linear::Step& step, const Operand* x, const Operand* w, const Operand* bias,
                Operand* y);

 private:
  static constexpr int kWords = 128;  // of `in`, packed at a time: 32 KiB, which stay in L1
  static constexpr int kDepth = kWords * kWordElements<Operand>;
  static constexpr int kTileRows = kTiles ? kAmxRows : kRows;                // of x, at a time
  static constexpr int kUnit = kTiles ? kAmxDepth : kWordElements<Operand>;  // of the sum

  // Words of a sum's `depth` elements, in whole units.
  static constexpr int WordsOf(int depth) {
    return static_cast<int>(RoundUp(depth, kUnit)) / kWordElements<Operand>;
  }

  class Ahead;

  void Pack(const linear::Step& step, const Operand* w, int depth);
  void AddRows(const linear::Step& step, const Operand* x, int depth, Ahead ahead);

  AlignedBuffer<Word<Operand>> panel_;  // [group][words][kGroupKeys], as pack.h packs keys
  AlignedBuffer<float> sums_;           // [rows][kPanelKeys]
  AlignedBuffer<Operand> rows_;         // [kTileRows][kDepth], where x has no whole tile
  std::vector<float> ones_;             // what the packing of f32 multiplies by
};

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_LINEAR_H_
