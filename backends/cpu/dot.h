// SPDX-License-Identifier: Apache-2.0
//
// Vectors of bf16 pairs and their dot product, AVX512_BF16, for modules that are compiled for
// AVX-512 without it: what uses them bears ATTEST_DOT or ATTEST_DOT_INLINE, and runs only where
// HasDotProducts().
#ifndef ATTEST_BACKENDS_CPU_DOT_H_
#define ATTEST_BACKENDS_CPU_DOT_H_

#include "attest/half.hpp"
#include "simd.h"

#if HWY_TARGET <= HWY_AVX3
#include <immintrin.h>

#define ATTEST_DOT __attribute__((target("avx512bf16")))
#define ATTEST_DOT_INLINE ATTEST_DOT HWY_INLINE

namespace attest::cpu {

inline bool HasDotProducts() { return __builtin_cpu_supports("avx512bf16") != 0; }

ATTEST_DOT_INLINE __m512bh LoadPairs(const void* from) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(from));
}

// The first of each pair, and 0.
ATTEST_DOT_INLINE __m512bh LoadFirsts(const void* from) {
  return reinterpret_cast<__m512bh>(
      _mm512_and_si512(_mm512_loadu_si512(from), _mm512_set1_epi32(0xffff)));
}

ATTEST_DOT_INLINE __m512bh BroadcastPair(const void* from) {
  int pair;
  __builtin_memcpy(&pair, from, sizeof(pair));
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
}

// sum + a.first x b.first + a.second x b.second, lane by lane
ATTEST_DOT_INLINE Vec DotAdd(Vec sum, __m512bh a, __m512bh b) {
  return Vec{_mm512_dpbf16_ps(sum.raw, a, b)};
}

// Rounds 2 kLanes numbers, in order, to kLanes pairs.
ATTEST_DOT_INLINE __m512bh RoundPairs(Vec low, Vec high) {
  return _mm512_cvtne2ps_pbh(high.raw, low.raw);
}

ATTEST_DOT_INLINE void StorePairs(__m512bh pairs, void* to) {
  _mm512_storeu_si512(to, reinterpret_cast<__m512i>(pairs));
}

// sum + both of each pair.
ATTEST_DOT_INLINE Vec AddBoth(Vec sum, __m512bh pairs) {
  const auto ones = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f803f80));  // bf16 pairs
  return DotAdd(sum, pairs, ones);
}

// sums += rows x columns for R rows of `pairs` pairs, `stride` elements apart, and C vectors of
// columns that are packed as [pairs][kPanelKeys].
template <int R, int C>
ATTEST_DOT_INLINE void AddDots(const Bfloat16* HWY_RESTRICT rows, int64_t stride,
                               const uint32_t* HWY_RESTRICT columns, int pairs, Vec (&sums)[R][C]) {
#pragma GCC unroll 4
  for (int c = 0; c < pairs; ++c) {
    __m512bh b[C];
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) b[j] = LoadPairs(columns + c * kPanelKeys + j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const __m512bh a = BroadcastPair(rows + i * stride + 2 * c);
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) sums[i][j] = DotAdd(sums[i][j], a, b[j]);
    }
  }
}

}  // namespace attest::cpu

#endif
#endif  // ATTEST_BACKENDS_CPU_DOT_H_
