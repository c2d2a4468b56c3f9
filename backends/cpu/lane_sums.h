// SPDX-License-Identifier: Apache-2.0
//
// Sums of the lanes of many vectors at once, with AVX-512.
#ifndef ATTEST_BACKENDS_CPU_LANE_SUMS_H_
#define ATTEST_BACKENDS_CPU_LANE_SUMS_H_

#include "simd.h"

#if HWY_TARGET <= HWY_AVX3

namespace attest::cpu {

// Lane i: the sum of the lanes of x[i]. Transposes of 2 x 2 and additions in turn: 15 vector sums.
HWY_INLINE Vec LaneSums(const Vec (&x)[16]) {
  __m512 fours[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const Vec* y = x + 4 * i;
    const __m512d low = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(y[0].raw, y[1].raw),
                                                       _mm512_unpackhi_ps(y[0].raw, y[1].raw)));
    const __m512d high = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(y[2].raw, y[3].raw),
                                                        _mm512_unpackhi_ps(y[2].raw, y[3].raw)));
    fours[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(low, high)),
                             _mm512_castpd_ps(_mm512_unpackhi_pd(low, high)));
  }
  const auto fold = [](__m512 a, __m512 b) HWY_ATTR {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  };
  return Vec{fold(fold(fours[0], fours[1]), fold(fours[2], fours[3]))};
}

}  // namespace attest::cpu

#endif

#endif  // ATTEST_BACKENDS_CPU_LANE_SUMS_H_
