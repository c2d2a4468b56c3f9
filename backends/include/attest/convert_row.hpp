// SPDX-License-Identifier: Apache-2.0
//
// Rows of io elements to f32 and back, bit for bit as half.hpp converts single elements. For
// backends whose module is built per ISA level: bf16 is left to the compiler's vectors, f16 uses
// the CPU's conversions where the level has them and is slow elsewhere.
#ifndef ATTEST_CONVERT_ROW_HPP_
#define ATTEST_CONVERT_ROW_HPP_

#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "attest/half.hpp"

namespace attest {
namespace detail {

#if defined(__F16C__)
#if defined(__AVX512F__)
inline constexpr int64_t kHalfLanes = 16;
// Masked forms with all lanes set: GCC 12 warns about its own header in the others (GCC bug
// 105593).
inline constexpr __mmask16 kAll = 0xffff;
inline void WidenLanes(const Half* from, float* to) {
  _mm512_storeu_ps(
      to, _mm512_maskz_cvtph_ps(kAll, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
}
inline void NarrowLanes(const float* from, float factor, Half* to) {
  const __m512 product = _mm512_mul_ps(_mm512_loadu_ps(from), _mm512_set1_ps(factor));
  _mm256_storeu_si256(
      reinterpret_cast<__m256i*>(to),
      _mm512_maskz_cvtps_ph(kAll, product, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
#else
inline constexpr int64_t kHalfLanes = 8;
inline void WidenLanes(const Half* from, float* to) {
  _mm256_storeu_ps(to, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}
inline void NarrowLanes(const float* from, float factor, Half* to) {
  const __m256 product = _mm256_mul_ps(_mm256_loadu_ps(from), _mm256_set1_ps(factor));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm256_cvtps_ph(product, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
#endif
#endif

}  // namespace detail

// out[c] = row[c * step] for c in [0, count), exactly.
template <typename Io>
void WidenRow(const Io* row, int64_t step, int64_t count, float* out) {
  int64_t c = 0;
#if defined(__F16C__)
  if constexpr (std::is_same_v<Io, Half>) {
    for (; step == 1 && c + detail::kHalfLanes <= count; c += detail::kHalfLanes)
      detail::WidenLanes(row + c, out + c);
  }
#endif
  if (step == 1)  // a loop of its own, so that the compiler vectorises it
    for (; c < count; ++c) out[c] = Widen(row[c]);
  for (; c < count; ++c) out[c] = Widen(row[c * step]);
}

// The same for backends that compute in f32 or in the io type itself: widens, or copies.
template <typename Io, typename To>
void CopyRow(const Io* row, int64_t step, int64_t count, To* out) {
  if constexpr (std::is_same_v<Io, To>) {
    if (step == 1)
      std::memcpy(out, row, static_cast<size_t>(count) * sizeof(Io));
    else
      for (int64_t c = 0; c < count; ++c) out[c] = row[c * step];
  } else {
    WidenRow(row, step, count, out);
  }
}

// out[c * step] = row[c] * factor, rounded to f32 and then to nearest even of the io type.
template <typename Io>
void NarrowRow(const float* row, float factor, int64_t count, Io* out, int64_t step) {
  int64_t c = 0;
#if defined(__F16C__)
  if constexpr (std::is_same_v<Io, Half>) {
    for (; step == 1 && c + detail::kHalfLanes <= count; c += detail::kHalfLanes)
      detail::NarrowLanes(row + c, factor, out + c);
  }
#endif
  if (step == 1)
    for (; c < count; ++c) Narrow(row[c] * factor, &out[c]);
  for (; c < count; ++c) Narrow(row[c] * factor, &out[c * step]);
}

}  // namespace attest

#endif  // ATTEST_CONVERT_ROW_HPP_
