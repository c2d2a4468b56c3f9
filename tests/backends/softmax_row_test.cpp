// SPDX-License-Identifier: Apache-2.0
//
// The declared error of exp and of tanh, and row steps at every length around its vectors.
#include "attest/softmax_row.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace attest {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Exp2, IsWithinItsDeclaredError) {
  double worst = 0;
  int64_t count = 0;
  // Every 61st float of (-126, 0], a prime, so that all low bits occur.
  for (uint32_t bits = 0x80000000u; bits < 0xc2fc0000u; bits += 61, ++count) {
    const float x = std::bit_cast<float>(bits);
    const double exact = std::exp2(static_cast<double>(x));
    const double error = std::abs(Exp2(x) - exact) / exact;
    worst = error <= worst ? worst : error;  // a NaN replaces it and fails below
  }
  EXPECT_GT(count, 18'000'000);
  EXPECT_LE(worst, kExp2RelativeError);
}

TEST(Exp2, UnderflowsGraduallyToZero) {
  for (float x = -126; x > -160; x -= 0.01f) {
    const double error = std::abs(Exp2(x) - std::exp2(static_cast<double>(x)));
    EXPECT_LE(error, 0x1p-149) << x;  // one least subnormal: two roundings
  }
  EXPECT_EQ(Exp2(-151.0f), 0.0f);
  EXPECT_EQ(Exp2(-kInfinity), 0.0f);
}

TEST(Exp2, IsExactWhereTheProbesNeedIt) {
  EXPECT_EQ(Exp2(0.0f), 1.0f);
  EXPECT_EQ(Exp2(-1.0f), 0.5f);
  EXPECT_TRUE(std::isnan(Exp2(std::nanf(""))));
}

TEST(Rows, EveryLength) {
  for (int64_t count = 1; count <= 70; ++count) {
    std::vector<float> row(count + 1);
    for (int64_t j = 0; j < count; ++j) row[j] = static_cast<float>((j * 37) % count) - 5.0f;
    row[count] = 1e30f;  // beyond the end: must be neither read nor written
    const float max = RowMax(row.data(), count);
    EXPECT_EQ(max, *std::max_element(row.begin(), row.end() - 1));
    std::vector<double> expected(count);
    double expected_sum = 0;
    for (int64_t j = 0; j < count; ++j)
      expected_sum += expected[j] = std::exp2((row[j] - max) * 0.25);
    const float sum = RowExp2(row.data(), count, max, 0.25f);
    EXPECT_NEAR(sum, expected_sum, 1e-6 * expected_sum);
    for (int64_t j = 0; j < count; ++j) EXPECT_NEAR(row[j], expected[j], 2e-7 * expected[j]);
    EXPECT_EQ(row[count], 1e30f);
  }
}

// One element passes the limit, at every place of every length: those from its vector on are left.
TEST(Rows, ExponentialsStopBeforeTheyPassTheLimit) {
  for (int64_t count = 1; count <= 5 * kLanes + 3; ++count)
    for (int64_t high = 0; high < count; ++high) {
      std::vector<float> row(count, 2.0f);
      row[high] = 20.5f;
      const ExpPart part = ExpRow(row.data(), count, 2.0f, 0.5f, 9.0f);  // exponent 9.25
      EXPECT_LE(part.count, high);
      EXPECT_GT(part.count + 4 * kLanes, high);
      EXPECT_EQ(part.sum, static_cast<float>(part.count));
      for (int64_t j = 0; j < count; ++j)
        ASSERT_EQ(row[j], j < part.count ? 1.0f : j == high ? 20.5f : 2.0f) << count << " " << j;
    }
}

TEST(Rows, ExponentialsAtTheLimitAndNansDoNotStop) {
  std::vector<float> row(2 * kLanes + 1, std::nanf(""));
  row[kLanes] = 18.0f;
  const auto count = static_cast<int64_t>(row.size());
  const ExpPart part = ExpRow(row.data(), count, 2.0f, 0.5f, 8.0f);
  EXPECT_EQ(part.count, count);
  EXPECT_EQ(row[kLanes], 256.0f);
  EXPECT_TRUE(std::isnan(part.sum));
  EXPECT_TRUE(std::isnan(row[count - 1]));
}

TEST(Tanh, IsWithinFiveUnitsOfOne) {
  double worst = 0;
  for (uint32_t bits = 0; bits < 0x42000000u; bits += 101) {
    const float x = std::bit_cast<float>(bits);
    const float y = Tanh(Floats{} + x)[0];
    const double error = std::abs(y - std::tanh(static_cast<double>(x)));
    worst = error <= worst ? worst : error;  // a NaN replaces it and fails below
    ASSERT_EQ(Tanh(Floats{} - x)[0], -y);
  }
  EXPECT_LE(worst, 5 * 0x1p-24);
  EXPECT_EQ(Tanh(Floats{} + kInfinity)[0], 1.0f);
  EXPECT_TRUE(std::isnan(Tanh(Floats{} + std::nanf(""))[0]));
}

TEST(Rows, SoftcapAtEveryLength) {
  for (int64_t count = 1; count <= 40; ++count) {
    std::vector<float> row(count + 1);
    for (int64_t j = 0; j < count; ++j) row[j] = static_cast<float>((j * 37) % count) - 5.0f;
    const std::vector<float> before = row;
    row[count] = 1e30f;
    SoftcapRow(row.data(), count, 7.5f);
    for (int64_t j = 0; j < count; ++j)
      EXPECT_NEAR(row[j], 7.5 * std::tanh(before[j] / 7.5), 7.5 * 0x1p-21);
    EXPECT_EQ(row[count], 1e30f);
  }
}

TEST(Rows, TheMaximumBecomesExactlyOne) {
  for (const float max : {1234.567f, -0.1f, 3e30f}) {
    std::vector<float> row(19, max);
    EXPECT_EQ(RowExp2(row.data(), 19, max, 0.180336881f), 19.0f);
    EXPECT_EQ(row[18], 1.0f);
  }
}

}  // namespace
}  // namespace attest
