// SPDX-License-Identifier: Apache-2.0
//
// One tile of a linear map of the layer, y = x W^T + b in f32, for attest/linear.hpp.
#ifndef ATTEST_BACKENDS_CPU_LINEAR_H_
#define ATTEST_BACKENDS_CPU_LINEAR_H_

#include <vector>

#include "attest/aligned_buffer.hpp"
#include "attest/linear.hpp"
#include "simd.h"

namespace attest::cpu {

class LinearProduct {
 public:
  using Operand = float;
  static constexpr linear::TileSizes kTile{384, kPanelKeys, kPanelKeys};

  LinearProduct();
  static uint64_t Bytes();

  // Sums lie in `y` itself where its columns fill whole vectors, else in scratch until the end.
  void Multiply(const linear::Step& step, const float* x, const float* w, const float* bias,
                float* y);

 private:
  static constexpr int kDepth = 128;  // of `in`, packed at a time: 32 KiB, which stay in L1

  AlignedBuffer<float> panel_;  // [group][depth][kGroupKeys], as pack.h packs keys
  AlignedBuffer<float> sums_;   // [rows][kPanelKeys]
  std::vector<float> ones_;     // what the packing multiplies by
};

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_LINEAR_H_
