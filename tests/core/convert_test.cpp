// SPDX-License-Identifier: Apache-2.0
//
// Conversions: all 16-bit patterns, and rounding against neighbours found by search.
#include "harness/core/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "attest/abi.h"
#include "harness/core/inputs.h"

namespace attest {
namespace {

struct Format {
  const char* name;
  uint16_t (*to)(double);
  double (*from)(uint16_t);
  uint16_t infinity;
};
const Format kFormats[] = {{"f16", ToF16, FromF16, 0x7c00}, {"bf16", ToBf16, FromBf16, 0x7f80}};

TEST(Convert, EveryPatternSurvivesTheRoundTrip) {
  for (const Format& format : kFormats)
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      const double value = format.from(static_cast<uint16_t>(bits));
      const uint16_t back = format.to(value);
      if ((bits & 0x7fff) > format.infinity)
        ASSERT_TRUE(IsNan(value) && IsNan(format.from(back))) << format.name << " " << bits;
      else
        ASSERT_EQ(back, bits) << format.name;
    }
}

// The values of the format rise with their bits, so neighbours are the bits next to each other:
// between them the nearer wins, and the even one at the middle. This says all about rounding.
TEST(Convert, RoundsToNearestEvenBetweenAllNeighbours) {
  for (const Format& format : kFormats)
    for (uint16_t low = 0; low < format.infinity - 1; ++low) {
      const uint16_t high = low + 1;
      const double a = format.from(low), b = format.from(high), middle = (a + b) / 2;
      ASSERT_LT(a, b);
      ASSERT_EQ(format.to(middle), low % 2 == 0 ? low : high) << format.name << " " << low;
      ASSERT_EQ(format.to(std::nextafter(middle, 0)), low) << format.name;
      ASSERT_EQ(format.to(std::nextafter(middle, b)), high) << format.name;
      ASSERT_EQ(format.to(-middle), format.to(middle) | 0x8000) << format.name;
    }
}

TEST(Convert, OverflowsToInfinityWhereIeeeDoes) {
  // Half a unit above the largest finite value, which is odd, so the tie goes to infinity.
  EXPECT_EQ(ToF16(65519.999), 0x7bff);
  EXPECT_EQ(ToF16(65520), 0x7c00);
  EXPECT_EQ(ToF16(-1e300), 0xfc00);
  const double tie = FromBf16(0x7f7f) + std::ldexp(1.0, 127 - 8);
  EXPECT_EQ(ToBf16(std::nextafter(tie, 0)), 0x7f7f);
  EXPECT_EQ(ToBf16(tie), 0x7f80);
  EXPECT_EQ(ToBf16(HUGE_VAL), 0x7f80);
}

TEST(Convert, RoundsOnceAndNotThroughFloat) {
  // Just above a tie of f16; float would round it onto the tie first, and then to even, downwards.
  const double value = 1 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40);
  EXPECT_EQ(static_cast<float>(value), 1 + std::ldexp(1.0F, -11));
  EXPECT_EQ(ToF16(value), 0x3c01);
}

TEST(Convert, LeastSubnormals) {
  EXPECT_EQ(FromF16(1), std::ldexp(1.0, -24));
  EXPECT_EQ(FromBf16(1), std::ldexp(1.0, -133));
  EXPECT_EQ(ToF16(std::ldexp(1.0, -25)), 0);
  EXPECT_EQ(ToF16(std::nextafter(std::ldexp(1.0, -25), 1)), 1);
  EXPECT_EQ(ToF16(-0.0), 0x8000);
}

TEST(Convert, StoresAndLoadsElements) {
  alignas(8) std::byte memory[64];
  for (const int32_t dtype : {ATTEST_F32, ATTEST_F16, ATTEST_BF16, ATTEST_F64}) {
    for (int64_t i = 0; i < 8; ++i) StoreElement(memory, dtype, i, static_cast<double>(i) - 2.5);
    for (int64_t i = 0; i < 8; ++i)
      EXPECT_EQ(LoadElement(memory, dtype, i), static_cast<double>(i) - 2.5) << dtype;
  }
  EXPECT_THROW(StoreElement(memory, ATTEST_BOOL, 0, 1), std::invalid_argument);
  EXPECT_THROW(LoadElement(memory, ATTEST_I64, 0), std::invalid_argument);
}

TEST(IsNan, KnowsEveryKindByItsBits) {
  for (const uint64_t bits : {0x7ff0000000000001, 0x7ff8000000000000, 0x7fffffffffffffff})
    for (const uint64_t sign : {uint64_t{0}, uint64_t{1} << 63})
      EXPECT_TRUE(IsNan(std::bit_cast<double>(bits | sign)));
  for (const double value : {0.0, -0.0, 1.0, HUGE_VAL, -HUGE_VAL, 5e-324, 1.7e308})
    EXPECT_FALSE(IsNan(value)) << value;
}

}  // namespace
}  // namespace attest
