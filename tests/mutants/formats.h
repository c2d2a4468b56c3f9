// SPDX-License-Identifier: Apache-2.0
//
// Rounding a value to a narrower format and back, to nearest even: how mutants imitate hardware
// that stores or multiplies in it. Formats: IEEE 754 binary16, bfloat16, and tf32 (10 bits of
// mantissa, the exponent of binary32).
#ifndef ATTEST_TESTS_MUTANTS_FORMATS_H_
#define ATTEST_TESTS_MUTANTS_FORMATS_H_

#include <bit>
#include <cstdint>

#include "attest/abi.h"
#include "attest/half.hpp"

namespace mutants {

inline float RoundToTf32(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7f800000u) == 0x7f800000u) return value;
  return std::bit_cast<float>((bits + 0xfffu + ((bits >> 13) & 1u)) & ~0x1fffu);
}

template <typename Real>
Real RoundTo(int32_t format, Real value) {
  const float narrow = static_cast<float>(value);
  switch (format) {
    case ATTEST_FORMAT_TF32:
      return RoundToTf32(narrow);
    case ATTEST_FORMAT_F16:
      return attest::ToFloat(attest::ToHalf(narrow));
    case ATTEST_FORMAT_BF16:
      return attest::ToFloat(attest::ToBfloat16(narrow));
  }
  return value;
}

}  // namespace mutants

#endif  // ATTEST_TESTS_MUTANTS_FORMATS_H_
