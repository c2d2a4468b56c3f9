// SPDX-License-Identifier: Apache-2.0
//
// 16 x 16 words transposed in AVX-512 registers: whole cache lines are read and written, which
// hides four times as much of their latency as blocks of 4 columns.
#ifndef ATTEST_BACKENDS_CPU_TRANSPOSE_H_
#define ATTEST_BACKENDS_CPU_TRANSPOSE_H_

#include <cstdint>

#include "simd.h"

#if HWY_TARGET <= HWY_AVX3

namespace attest::cpu {

inline constexpr int kSquare = 16;

// The first `count` of up to 16 lanes; none for count <= 0.
HWY_INLINE __mmask16 FirstLanes(int count) {
  if (count >= kSquare) return 0xffff;
  return static_cast<__mmask16>(count <= 0 ? 0u : (1u << count) - 1u);
}

// Stores columns [0, columns) of `rows` as rows `stride` words apart, 64-byte aligned.
HWY_INLINE void StoreTransposed(const __m512 (&rows)[kSquare], int columns, void* to,
                                int64_t stride) {
  // fours[c][g]: in its 128-bit lane l, element 4 l + c of rows 4 g to 4 g + 3.
  __m512 fours[4][4];
#pragma GCC unroll 4
  for (int g = 0; g < 4; ++g) {
    const __m512* row = rows + 4 * g;
    const __m512d low01 = _mm512_castps_pd(_mm512_unpacklo_ps(row[0], row[1]));
    const __m512d high01 = _mm512_castps_pd(_mm512_unpackhi_ps(row[0], row[1]));
    const __m512d low23 = _mm512_castps_pd(_mm512_unpacklo_ps(row[2], row[3]));
    const __m512d high23 = _mm512_castps_pd(_mm512_unpackhi_ps(row[2], row[3]));
    fours[0][g] = _mm512_castpd_ps(_mm512_unpacklo_pd(low01, low23));
    fours[1][g] = _mm512_castpd_ps(_mm512_unpackhi_pd(low01, low23));
    fours[2][g] = _mm512_castpd_ps(_mm512_unpacklo_pd(high01, high23));
    fours[3][g] = _mm512_castpd_ps(_mm512_unpackhi_pd(high01, high23));
  }
  const auto store = [&](int column, __m512 values) HWY_ATTR {
    if (column < columns) _mm512_store_ps(static_cast<float*>(to) + column * stride, values);
  };
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512 even01 = _mm512_shuffle_f32x4(fours[c][0], fours[c][1], 0x88);
    const __m512 even23 = _mm512_shuffle_f32x4(fours[c][2], fours[c][3], 0x88);
    const __m512 odd01 = _mm512_shuffle_f32x4(fours[c][0], fours[c][1], 0xdd);
    const __m512 odd23 = _mm512_shuffle_f32x4(fours[c][2], fours[c][3], 0xdd);
    store(c, _mm512_shuffle_f32x4(even01, even23, 0x88));
    store(4 + c, _mm512_shuffle_f32x4(odd01, odd23, 0x88));
    store(8 + c, _mm512_shuffle_f32x4(even01, even23, 0xdd));
    store(12 + c, _mm512_shuffle_f32x4(odd01, odd23, 0xdd));
  }
}

}  // namespace attest::cpu

#endif
#endif  // ATTEST_BACKENDS_CPU_TRANSPOSE_H_
