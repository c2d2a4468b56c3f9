// SPDX-License-Identifier: Apache-2.0
//
// Chains of running maxima against the definition, by both ways of counting them.
#include "reference/chains.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "reference/kernels.h"

namespace attest::reference {
namespace {

constexpr double kMasked = -std::numeric_limits<double>::infinity();

int64_t OneWay(const std::vector<double>& scores) {
  int64_t longest = 0;
  for (size_t start = 0; start < scores.size(); ++start) {
    double maximum = kMasked;
    int64_t length = 0;
    for (size_t j = start; j < scores.size(); ++j) {
      if (scores[j] > maximum) {
        maximum = scores[j];
        ++length;
      }
    }
    longest = std::max(longest, length);
  }
  return longest;
}

int64_t ByDefinition(std::vector<double> scores) {
  const int64_t forward = OneWay(scores);
  std::reverse(scores.begin(), scores.end());
  return std::max(forward, OneWay(scores));
}

int64_t Count(const std::vector<double>& scores) {
  std::vector<double> stack(scores.size());
  return LongestMaximumChain(scores.data(), std::ssize(scores), stack.data());
}

std::vector<double> RandomScores(int64_t count, int kinds, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<double> scores(count);
  for (double& s : scores) {
    s = random() % 5 == 0 ? kMasked : static_cast<double>(random() % kinds) - kinds / 2;
  }
  return scores;
}

TEST(LongestMaximumChain, MatchesTheDefinition) {
  for (const int64_t count : {1, 2, 3, 17, 64, 130}) {
    for (const int kinds : {1, 3, 1000}) {
      for (unsigned seed = 0; seed < 20; ++seed) {
        const auto scores = RandomScores(count, kinds, seed);
        ASSERT_EQ(Count(scores), ByDefinition(scores)) << count << " " << kinds << " " << seed;
      }
    }
  }
}

TEST(LongestMaximumChain, ClosedForms) {
  EXPECT_EQ(Count({}), 0);
  EXPECT_EQ(Count({kMasked, kMasked}), 0);
  EXPECT_EQ(Count({1, 1, 1}), 1);
  EXPECT_EQ(Count({1, 2, kMasked, 3}), 3);
  EXPECT_EQ(Count({4, 3, 2, 1}), 4);
  EXPECT_EQ(Count({9, 1, 2, 3}), 3);
}

TEST(LongestMaximumChain, InLanesTheSame) {
  const KernelLevels levels = AvailableKernels();
  for (int n = 0; n < levels.count; ++n) {
    for (unsigned seed = 0; seed < 20; ++seed) {
      std::vector<double> rows[kQuad];
      Quad quad;
      for (int r = 0; r < kQuad; ++r) {
        rows[r] = RandomScores(192, r == 0 ? 3 : 1000, 4 * seed + r);
        quad.row[r] = rows[r].data();
      }
      int64_t longest[kQuad];
      ASSERT_TRUE(levels.level[n]->chains(quad, 192, longest));
      for (int r = 0; r < kQuad; ++r) ASSERT_EQ(longest[r], Count(rows[r]));
    }
  }
}

TEST(LongestMaximumChain, InLanesGivesUpOnLongOnes) {
  std::vector<double> rising(64);
  for (int j = 0; j < 64; ++j) rising[j] = j;
  const Quad quad{{rising.data(), rising.data(), rising.data(), rising.data()}};
  int64_t longest[kQuad];
  EXPECT_FALSE(SelectKernels().chains(quad, 64, longest));
  EXPECT_EQ(Count(rising), 64);
}

}  // namespace
}  // namespace attest::reference
