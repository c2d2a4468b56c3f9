// SPDX-License-Identifier: Apache-2.0
#include "harness/core/convert.h"

#include <bit>
#include <cmath>
#include <stdexcept>

#include "attest/abi.h"

#ifdef __FAST_MATH__
#error "the verifier must not be compiled with fast-math: NaN and rounding are its business"
#endif

namespace attest {
namespace {

// A binary format with `kMantissa` stored bits and bias `kBias`, in 16 bits. Rounds a double once
// (never through float, which would round twice).
template <int kMantissa, int kBias>
uint16_t Narrow(double value) {
  constexpr uint16_t kInfinity = static_cast<uint16_t>((2 * kBias + 1) << kMantissa);
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (IsNan(value)) return sign | kInfinity | (1 << (kMantissa - 1));
  const double magnitude = std::fabs(value);
  if (magnitude == 0) return sign;
  const int exponent =
      std::isinf(magnitude) ? kBias + 1 : std::max(std::ilogb(magnitude), 1 - kBias);
  if (exponent > kBias) return sign | kInfinity;
  // In units of the last place; nearbyint rounds to nearest even and the scaling is exact.
  const double units = std::nearbyint(std::ldexp(magnitude, kMantissa - exponent));
  const auto whole = static_cast<uint32_t>(units);  // at most 2^(kMantissa + 1)
  // A carry out of the mantissa moves into the exponent by itself.
  const uint32_t bits = whole + (static_cast<uint32_t>(exponent + kBias - 1) << kMantissa);
  return sign | static_cast<uint16_t>(bits >= kInfinity ? kInfinity : bits);
}

template <int kMantissa, int kBias>
double Widen(uint16_t bits) {
  const int field = (bits & 0x7fff) >> kMantissa;
  const int mantissa = bits & ((1 << kMantissa) - 1);
  double magnitude = 0;
  if (field == 2 * kBias + 1) {
    magnitude = mantissa == 0 ? HUGE_VAL : std::bit_cast<double>(0x7ff8000000000000);
  } else {
    const int whole = field == 0 ? mantissa : mantissa | (1 << kMantissa);
    magnitude = std::ldexp(whole, (field == 0 ? 1 : field) - kBias - kMantissa);
  }
  return (bits & 0x8000) ? -magnitude : magnitude;
}

}  // namespace

bool IsNan(double value) {
  return (std::bit_cast<uint64_t>(value) & 0x7fffffffffffffff) > 0x7ff0000000000000;
}

uint16_t ToF16(double value) { return Narrow<10, 15>(value); }
uint16_t ToBf16(double value) { return Narrow<7, 127>(value); }
double FromF16(uint16_t bits) { return Widen<10, 15>(bits); }
double FromBf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

void StoreElement(void* data, int32_t dtype, int64_t index, double value) {
  switch (dtype) {
    case ATTEST_F32:
      static_cast<float*>(data)[index] = static_cast<float>(value);
      return;
    case ATTEST_F64:
      static_cast<double*>(data)[index] = value;
      return;
    case ATTEST_F16:
      static_cast<uint16_t*>(data)[index] = ToF16(value);
      return;
    case ATTEST_BF16:
      static_cast<uint16_t*>(data)[index] = ToBf16(value);
      return;
    default:
      throw std::invalid_argument("StoreElement: not a floating-point type");
  }
}

double LoadElement(const void* data, int32_t dtype, int64_t index) {
  switch (dtype) {
    case ATTEST_F32:
      return static_cast<const float*>(data)[index];
    case ATTEST_F64:
      return static_cast<const double*>(data)[index];
    case ATTEST_F16:
      return FromF16(static_cast<const uint16_t*>(data)[index]);
    case ATTEST_BF16:
      return FromBf16(static_cast<const uint16_t*>(data)[index]);
    default:
      throw std::invalid_argument("LoadElement: not a floating-point type");
  }
}

}  // namespace attest
