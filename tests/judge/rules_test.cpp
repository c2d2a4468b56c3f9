// SPDX-License-Identifier: Apache-2.0
//
// Other projects' rules at their thresholds: what each accepts, and the first thing that it does
// not.
#include "harness/judge/rules.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <stdexcept>

namespace attest::judge {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Ten elements of 1, of which the first is off.
RuleData Off(double error, int32_t dtype = ATTEST_F32, double size = 1) {
  RuleData data;
  data.dtype = dtype;
  data.keys = 1023;
  data.expected.assign(10, size);
  data.got = data.plain = data.expected;
  data.got[0] += error;
  data.absolute.assign(10, 1);
  return data;
}

bool Accepts(const std::string& rule, const RuleData& data) {
  for (const auto& [name, accepted] : ApplyRules(data))
    if (name == rule) return accepted;
  throw std::invalid_argument(rule + " is no rule");
}

TEST(Rules, NmseIsOfTheOutput) {
  EXPECT_TRUE(Accepts("nmse_5e-4", Off(0.07)));  // 0.0049 of 10.1
  EXPECT_FALSE(Accepts("nmse_5e-4", Off(0.08)));
  EXPECT_TRUE(Accepts("nmse_5e-4", Off(0, ATTEST_F32, 0)));
  EXPECT_FALSE(Accepts("nmse_5e-4", Off(1e-9, ATTEST_F32, 0)));
}

TEST(Rules, AbsoluteOrRelativeOrBothAddedUp) {
  EXPECT_TRUE(Accepts("flashinfer_1e-2", Off(0.99, ATTEST_F32, 100)));
  EXPECT_FALSE(Accepts("flashinfer_1e-2", Off(1.01, ATTEST_F32, 100)));
  EXPECT_TRUE(Accepts("flashinfer_1e-2", Off(0.0099, ATTEST_F32, 0.01)));
  EXPECT_FALSE(Accepts("flashinfer_1e-2", Off(0.0101, ATTEST_F32, 0.01)));
  EXPECT_TRUE(Accepts("allclose_1e-3", Off(0.00199)));
  EXPECT_FALSE(Accepts("allclose_1e-3", Off(0.00201)));
  EXPECT_TRUE(Accepts("cudnn_2e-2", Off(0.0399)));
  EXPECT_FALSE(Accepts("cudnn_2e-2", Off(0.0401)));
}

TEST(Rules, TorchDependsOnTheType) {
  const std::map<int32_t, double> limits = {
      {ATTEST_F32, 1.13e-5}, {ATTEST_F16, 1.01e-3}, {ATTEST_BF16, 1.601e-2}, {ATTEST_F64, 2e-7}};
  for (const auto& [dtype, limit] : limits) {
    EXPECT_TRUE(Accepts("torch_default", Off(0.99 * limit, dtype))) << dtype;
    EXPECT_FALSE(Accepts("torch_default", Off(1.01 * limit, dtype))) << dtype;
  }
}

TEST(Rules, CutlassLooksAtGreatestAndMean) {
  EXPECT_TRUE(Accepts("cutlass", Off(0.0099)));
  EXPECT_FALSE(Accepts("cutlass", Off(0.0101)));
  RuleData all = Off(0);
  for (double& value : all.got) value += 0.0011;
  EXPECT_FALSE(Accepts("cutlass", all));
}

TEST(Rules, BenchdnnGrowsWithTheKeys) {
  const double threshold = 8 * 1024 * 0x1p-23;  // 9.8e-4
  EXPECT_TRUE(Accepts("benchdnn", Off(0.99 * threshold)));
  EXPECT_FALSE(Accepts("benchdnn", Off(1.01 * threshold)));
  EXPECT_TRUE(Accepts("benchdnn", Off(50, ATTEST_BF16))) << "8 * 1024 / 128 = 64";
  EXPECT_FALSE(Accepts("benchdnn", Off(2e-7, ATTEST_F32, 1.1e-5))) << "1.8 % of little";
  EXPECT_TRUE(Accepts("benchdnn", Off(1.1e-7, ATTEST_F32, 1.1e-5))) << "below eps sum p |v|";
  EXPECT_TRUE(Accepts("benchdnn", Off(9e-4, ATTEST_F32, 0.9e-5))) << "absolute below 1e-5";
}

TEST(Rules, FlashAttentionIsRelativeToPlainArithmetic) {
  RuleData data = Off(0.01);
  EXPECT_FALSE(Accepts("flash_attention_2x", data));
  data.plain[5] += 0.0051;
  EXPECT_TRUE(Accepts("flash_attention_2x", data));
}

TEST(Rules, NoneAcceptsNanAndAllAcceptTheReference) {
  for (const auto& [name, accepted] : ApplyRules(Off(kNan))) EXPECT_FALSE(accepted) << name;
  for (const auto& [name, accepted] : ApplyRules(Off(0))) EXPECT_TRUE(accepted) << name;
}

class PlainRunTest : public testing::TestWithParam<int32_t> {};

// As near to the reference as the io type's roundings allow, and not nearer.
TEST_P(PlainRunTest, RoundsInTheIoType) {
  Cell cell;
  cell.problem.dtype = GetParam();
  cell.problem.q_num_heads = 4;
  cell.problem.kv_num_heads = 2;
  cell.problem.q_sequence_length = 37;
  cell.problem.head_size = 24;
  cell.problem.v_head_size = 8;
  cell.problem.is_causal = 1;
  cell.problem.causal_offset = -2;  // the first two rows see nothing
  cell.problem.attn_mask = ATTEST_MASK_ADDITIVE;
  cell.problem.softcap = 5;
  ResolveProblem(cell.problem);
  CellDataOptions options;
  options.probes = false;
  options.plain = true;
  const auto data = MakeCellData(cell, options);
  const double unit = GetParam() == ATTEST_BF16  ? 0x1p-8
                      : GetParam() == ATTEST_F16 ? 0x1p-11
                                                 : 0x1p-24;
  for (int set = 0; set < 2; ++set) {
    double greatest = 0;
    const PlainRun& plain = data->plain[set];
    ASSERT_EQ(plain.output.size(), data->answers[set].output.size());
    for (size_t at = 0; at < plain.output.size(); ++at) {
      const double error = std::fabs(plain.output[at] - data->answers[set].output[at]);
      EXPECT_LE(error, 40 * unit) << at;
      greatest = std::max(greatest, error);
      EXPECT_GE(plain.absolute[at] + 40 * unit, std::fabs(data->answers[set].output[at]));
    }
    EXPECT_GE(greatest, unit / 4);
    EXPECT_EQ(plain.output[8], 0) << "the second row sees no key";
  }
}

INSTANTIATE_TEST_SUITE_P(Types, PlainRunTest, testing::Values(ATTEST_F32, ATTEST_F16, ATTEST_BF16));

}  // namespace
}  // namespace attest::judge
