// SPDX-License-Identifier: Apache-2.0
//
// The declared error of the cpu backend's exp2 at each ISA level that this CPU runs, and where it
// ends: 0, -inf, NaN, subnormal powers.
#include "cpu_exp2.h"

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace {

// kExp2RelativeError and kCoarseExp2RelativeError of backends/cpu/simd.h
constexpr double kDeclared = 1.8e-7, kCoarseDeclared = 3.2e-6;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Level {
  const char* name;
  bool runs;
  Exp2Function exp2, weight, coarse, dropped;
};

std::vector<Level> Levels() {
  return {{"x86-64-v2", __builtin_cpu_supports("x86-64-v2") != 0, kExp2V2, kWeightV2, kCoarseV2,
           kDroppedV2},
          {"x86-64-v3", __builtin_cpu_supports("x86-64-v3") != 0, kExp2V3, kWeightV3, kCoarseV3,
           kDroppedV3},
          {"x86-64-v4", __builtin_cpu_supports("x86-64-v4") != 0, kExp2V4, kWeightV4, kCoarseV4,
           kDroppedV4}};
}

class CpuExp2 : public testing::TestWithParam<Level> {
 protected:
  void SetUp() override {
    if (!GetParam().runs) GTEST_SKIP() << "this CPU does not run " << GetParam().name;
  }
};

// Every 241st float of [from, to), both positive or both negative, in blocks.
double WorstError(Exp2Function exp2, uint32_t from, uint32_t to, int64_t& count) {
  constexpr size_t kBlock = 4096;
  std::vector<float> in, out(kBlock);
  double worst = 0;
  for (uint32_t bits = from; bits < to;) {
    for (in.clear(); in.size() < kBlock; bits = bits < to ? bits + 241 : bits)
      in.push_back(std::bit_cast<float>(bits < to ? bits : from));
    exp2(in.data(), kBlock, out.data());
    for (size_t i = 0; i < kBlock; ++i, ++count) {
      const double exact = std::exp2(static_cast<double>(in[i]));
      const double error = std::abs(out[i] - exact) / exact;
      worst = error <= worst ? worst : error;  // a NaN replaces it and fails below
    }
  }
  return worst;
}

TEST_P(CpuExp2, IsWithinItsDeclaredError) {
  for (const Exp2Function exp2 : {GetParam().exp2, GetParam().weight}) {
    int64_t count = 0;
    EXPECT_LE(WorstError(exp2, 0x80000000u, 0xc2fc0000u, count), kDeclared);  // to -126
    EXPECT_LE(WorstError(exp2, 0x00000000u, 0x42000000u, count), kDeclared);  // to 32
    EXPECT_GT(count, 8'000'000);
  }
}

TEST_P(CpuExp2, CoarseIsWithinItsDeclaredErrorAndNotFine) {
  int64_t count = 0;
  const Exp2Function coarse = GetParam().coarse;
  const double error = WorstError(coarse, 0x80000000u, 0xc2fc0000u, count);
  EXPECT_LE(error, kCoarseDeclared);
  EXPECT_GT(error, 10 * kDeclared);
  EXPECT_LE(WorstError(coarse, 0x00000000u, 0x42000000u, count), kCoarseDeclared);
}

void ExpectEnds(Exp2Function exp2) {
  std::vector<float> in(16, 0.0f), out(16);
  in[1] = -kInfinity;
  in[2] = -1;
  in[3] = std::nanf("");
  in[4] = -1e30f;
  exp2(in.data(), 16, out.data());
  EXPECT_EQ(out[0], 1.0f);
  EXPECT_EQ(out[1], 0.0f);
  EXPECT_EQ(out[2], 0.5f);
  EXPECT_TRUE(std::isnan(out[3]));
  EXPECT_EQ(out[4], 0.0f);
}

TEST_P(CpuExp2, Ends) {
  ExpectEnds(GetParam().exp2);
  ExpectEnds(GetParam().weight);
  ExpectEnds(GetParam().coarse);
  std::vector<float> in(16, 0.0f), out(16);
  in[1] = -kInfinity;
  in[3] = std::nanf("");
  in[5] = -126.5f;
  in[6] = -126.0f;
  GetParam().dropped(in.data(), 16, out.data());
  EXPECT_EQ(out[1], 0.0f);
  EXPECT_TRUE(std::isnan(out[3]));
  EXPECT_EQ(out[5], 0.0f);
  EXPECT_EQ(out[6], 0x1p-126f);
}

INSTANTIATE_TEST_SUITE_P(Levels, CpuExp2, testing::ValuesIn(Levels()),
                         [](const auto& info) { return "v" + std::to_string(info.index + 2); });

}  // namespace
