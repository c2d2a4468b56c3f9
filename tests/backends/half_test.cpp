// SPDX-License-Identifier: Apache-2.0
//
// Every 16-bit value, and both sides of every point where rounding changes.
#include "attest/half.hpp"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace attest {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Half, KnownValues) {
  EXPECT_EQ(ToFloat(Half{0x3c00}), 1.0f);
  EXPECT_EQ(ToFloat(Half{0xc000}), -2.0f);
  EXPECT_EQ(ToFloat(Half{0x7bff}), 65504.0f);
  EXPECT_EQ(ToFloat(Half{0x0400}), 0x1p-14f);
  EXPECT_EQ(ToFloat(Half{0x0001}), 0x1p-24f);
  EXPECT_EQ(ToFloat(Half{0x7c00}), kInfinity);
  EXPECT_TRUE(std::signbit(ToFloat(Half{0x8000})));
  EXPECT_EQ(ToFloat(Bfloat16{0x3f80}), 1.0f);
  EXPECT_EQ(ToFloat(Bfloat16{0xff80}), -kInfinity);
}

TEST(Half, EveryValueSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const Half half{static_cast<uint16_t>(bits)};
    const Bfloat16 bfloat{static_cast<uint16_t>(bits)};
    if ((bits & 0x7fff) <= 0x7c00) {
      EXPECT_EQ(ToHalf(ToFloat(half)).bits, bits);
    } else {
      EXPECT_EQ(ToHalf(ToFloat(half)).bits, bits | 0x200u);  // NaN, made quiet
    }
    if ((bits & 0x7fff) <= 0x7f80) {
      EXPECT_EQ(ToBfloat16(ToFloat(bfloat)).bits, bits);
    } else {
      EXPECT_EQ(ToBfloat16(ToFloat(bfloat)).bits, bits | 0x40u);
    }
  }
}

// Between each value and the next: just below, at and just above the middle, which f32 holds
// exactly.
template <typename Io, typename Round>
void ExpectNearestEven(uint16_t largest, const Round& round) {
  for (uint16_t bits = 0; bits < largest; ++bits) {
    const float low = ToFloat(Io{bits});
    const float high = ToFloat(Io{static_cast<uint16_t>(bits + 1)});
    const float middle = low + (high - low) / 2;
    const uint16_t even = bits % 2 == 0 ? bits : bits + 1;
    EXPECT_EQ(round(middle).bits, even) << bits;
    EXPECT_EQ(round(std::nextafter(middle, 0.0f)).bits, bits) << bits;
    EXPECT_EQ(round(std::nextafter(middle, kInfinity)).bits, bits + 1) << bits;
    EXPECT_EQ(round(-middle).bits, even | 0x8000) << bits;
  }
}

TEST(Half, RoundsToNearestEven) {
  ExpectNearestEven<Half>(0x7bff, [](float value) { return ToHalf(value); });
  // Below the second bfloat16 the middle is a subnormal f32, which is as exact.
  ExpectNearestEven<Bfloat16>(0x7f7f, [](float value) { return ToBfloat16(value); });
}

TEST(Half, OverflowsToInfinity) {
  EXPECT_EQ(ToHalf(std::nextafter(65520.0f, 0.0f)).bits, 0x7bff);
  EXPECT_EQ(ToHalf(65520.0f).bits, 0x7c00);
  EXPECT_EQ(ToHalf(-1e30f).bits, 0xfc00);
  EXPECT_EQ(ToHalf(kInfinity).bits, 0x7c00);
  EXPECT_EQ(ToBfloat16(std::numeric_limits<float>::max()).bits, 0x7f80);
  EXPECT_EQ(ToBfloat16(-kInfinity).bits, 0xff80);
}

TEST(Half, NanStaysNan) {
  const float nan = std::bit_cast<float>(0x7f800001u);  // its payload is lost in 16 bits
  EXPECT_TRUE(std::isnan(ToFloat(ToHalf(nan))));
  EXPECT_TRUE(std::isnan(ToFloat(ToBfloat16(nan))));
  const float all_ones = std::bit_cast<float>(0x7fffffffu);  // rounding would carry into the sign
  EXPECT_TRUE(std::isnan(ToFloat(ToBfloat16(all_ones))));
}

}  // namespace
}  // namespace attest
