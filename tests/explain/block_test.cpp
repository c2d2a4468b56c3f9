// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace attest::explain {
namespace {

using testing::Each;
using testing::ElementsAre;
using Lines = std::vector<std::string>;

TEST(Block, ShowsNoMoreDecimalsThanThereAre) {
  EXPECT_THAT(Block(Matrix(1, 2, {1, -0.0}), {}), ElementsAre("  1  0"));
  EXPECT_THAT(Block(Matrix(1, 2, {0.25, 10}), {}), ElementsAre("   0.25  10.00"));
  EXPECT_THAT(Block(Matrix(1, 1, {1.0 / 3}), {}), ElementsAre("  0.3333"));
  EXPECT_THAT(Block(Matrix(1, 1, {1e-7}), {}), ElementsAre("  1.000e-07"));
  EXPECT_THAT(Block(Matrix(1, 2, {1e9, 0.5}), {}), ElementsAre("  1.000e+09  5.000e-01"));
}

TEST(Block, ShowsWhatIsNoNumber) {
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_THAT(Block(Matrix(1, 3, {1, std::nan(""), -inf}), {}), ElementsAre("     1   nan  -inf"));
}

TEST(Block, LabelsAndPercent) {
  EXPECT_THAT(Block(Matrix(1, 2, {0.25, 0.75}), {{"cat"}, {"a", "b"}, Numbers::kPercent}),
              ElementsAre("        a     b", "cat  25.0  75.0"));
}

TEST(Block, LeavesOutTheMiddle) {
  const Lines lines = Block(Matrix(100, 100), {});
  EXPECT_LE(lines.size(), 9u);
  for (const std::string& line : lines) EXPECT_LE(DisplayWidth(line), 78);
  EXPECT_NE(lines[0].find(".."), std::string::npos);
  EXPECT_FALSE(FitsWidth(Matrix(1, 100), {}));
  EXPECT_TRUE(FitsWidth(Matrix(1, 20), {}));
}

TEST(Fit, CountsCharactersNotBytes) {
  EXPECT_EQ(DisplayWidth("\u00e4\u00f6\u00fc"), 3);
  EXPECT_EQ(Fit("\u00e4\u00f6\u00fc", 2), "\u00e4\u00f6");
  EXPECT_EQ(Fit("ab", 4), "ab  ");
}

TEST(Beside, FillsShorterBlocks) {
  EXPECT_THAT(Beside({{"a"}, {"bb", "c"}}, "|"), ElementsAre("a|bb", " |c"));
}

}  // namespace
}  // namespace attest::explain
