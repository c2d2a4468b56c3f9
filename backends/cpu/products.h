// SPDX-License-Identifier: Apache-2.0
//
// The inner loop of the register tiles on f32 operands; that on pairs of bf16 is in dot.h.
#ifndef ATTEST_BACKENDS_CPU_PRODUCTS_H_
#define ATTEST_BACKENDS_CPU_PRODUCTS_H_

#include "simd.h"

namespace attest::cpu {

// sums += rows x columns for R rows of `count` elements, `stride` elements apart, and C vectors of
// columns that are packed as [count][kGroupKeys].
template <int R, int C>
HWY_INLINE void AddProducts(const float* HWY_RESTRICT rows, int64_t stride,
                            const float* HWY_RESTRICT columns, int count, Vec (&sums)[R][C]) {
#pragma GCC unroll 4
  for (int c = 0; c < count; ++c) {
    Vec b[C];
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) b[j] = hn::Load(kTag, columns + c * kGroupKeys + j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const Vec a = hn::Set(kTag, rows[i * stride + c]);
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) sums[i][j] = hn::MulAdd(a, b[j], sums[i][j]);
    }
  }
}

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_PRODUCTS_H_
