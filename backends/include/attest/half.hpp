// SPDX-License-Identifier: Apache-2.0
//
// Conversions between f32 and the 16-bit io types, for backend authors. Widening is exact;
// narrowing rounds to nearest even, overflows to infinity, keeps subnormals, infinities and NaN (as
// a quiet NaN). Plain integer arithmetic: bit for bit the same on every CPU. Not fast arithmetic in
// 16 bits. Formats: IEEE 754-2019 binary16; bfloat16 is the upper half of a binary32.
#ifndef ATTEST_HALF_HPP_
#define ATTEST_HALF_HPP_

#include <bit>
#include <cstdint>

namespace attest {

struct Half {
  uint16_t bits;
};
struct Bfloat16 {
  uint16_t bits;
};

inline float ToFloat(Bfloat16 value) { return std::bit_cast<float>(uint32_t{value.bits} << 16); }

inline Bfloat16 ToBfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  // Rounding could carry a NaN's payload into the exponent, so a NaN is cut and made quiet instead.
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

inline float ToFloat(Half value) {
  const uint32_t sign = (value.bits & 0x8000u) << 16;
  const uint32_t exponent = (value.bits >> 10) & 0x1fu;
  const uint32_t mantissa = value.bits & 0x3ffu;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24, exact in f32
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  if (exponent == 31) {  // infinity, or NaN made quiet
    return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13) |
                                (mantissa != 0 ? 0x400000u : 0u));
  }
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

inline Half ToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
  } else if (magnitude >= 0x477ff000u) {  // 65520, halfway from the largest half to 2^16
    half = 0x7c00u;
  } else if (magnitude < 0x38800000u) {  // under 2^-14: one unit of 0.5f's last place is 2^-24
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  } else {
    const uint32_t rebased = magnitude - 0x38000000u;  // exponent bias 127 -> 15
    half = (rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13;
  }
  return {static_cast<uint16_t>(sign | half)};
}

// For code that is generic over io types: Widen to the type it computes in, Narrow to the io type.
inline float Widen(float value) { return value; }
inline double Widen(double value) { return value; }
inline float Widen(Half value) { return ToFloat(value); }
inline float Widen(Bfloat16 value) { return ToFloat(value); }

inline void Narrow(float value, float* out) { *out = value; }
inline void Narrow(double value, double* out) { *out = value; }
inline void Narrow(float value, Half* out) { *out = ToHalf(value); }
inline void Narrow(float value, Bfloat16* out) { *out = ToBfloat16(value); }

}  // namespace attest

#endif  // ATTEST_HALF_HPP_
