// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/weight_figures.h"

#include <gtest/gtest.h>

#include <cmath>

namespace attest::explain {
namespace {

constexpr double kExact = 1e-15;

TEST(FiguresOf, EqualWeights) {
  const WeightFigures f = FiguresOf({Matrix(4, 4, std::vector<double>(16, 0.25))});
  EXPECT_NEAR(f.entropy_bits, 2, kExact);
  EXPECT_NEAR(f.largest, 0.25, kExact);
  EXPECT_NEAR(f.diagonal, 0.25, kExact);
  // diag(1/4) - 1/16: 4 (3/16)^2 + 12 (1/16)^2 = 48/256
  EXPECT_NEAR(f.gradient_norm, std::sqrt(48.0 / 256), kExact);
}

TEST(FiguresOf, OneKeyHasItAll) {
  const WeightFigures f = FiguresOf({Matrix(2, 2, {1, 0, 0, 1})});
  EXPECT_EQ(f.entropy_bits, 0);
  EXPECT_EQ(f.largest, 1);
  EXPECT_EQ(f.diagonal, 1);
  EXPECT_EQ(f.gradient_norm, 0);
}

TEST(FiguresOf, IsTheMeanOverRowsAndHeads) {
  const WeightFigures f = FiguresOf({Matrix(1, 2, {1, 0}), Matrix(1, 2, {0.5, 0.5})});
  EXPECT_NEAR(f.entropy_bits, 0.5, kExact);
  EXPECT_NEAR(f.largest, 0.75, kExact);
  EXPECT_NEAR(f.gradient_norm, 0.25, kExact);
}

TEST(ScoresFrom, UndoesTheSoftmax) {
  const double scores[] = {1, -2, 0.5, 3};
  Matrix weights(2, 2);
  std::vector<double> lse;
  for (int64_t i = 0; i < 2; ++i) {
    lse.push_back(std::log(std::exp(scores[2 * i]) + std::exp(scores[2 * i + 1])));
    for (int64_t j = 0; j < 2; ++j) weights.at(i, j) = std::exp(scores[2 * i + j] - lse.back());
  }
  const std::vector<Matrix> found = ScoresFrom({weights}, lse);
  for (size_t n = 0; n < 4; ++n) EXPECT_NEAR(found[0].values[n], scores[n], 1e-14);
  EXPECT_TRUE(std::isnan(ScoresFrom({Matrix(1, 1)}, {0})[0].values[0]));
}

TEST(Asymmetry, OfSymmetricAndOfOppositeScores) {
  EXPECT_EQ(Asymmetry({Matrix(2, 2, {9, 3, 3, 7})}), 0);
  EXPECT_EQ(Asymmetry({Matrix(2, 2, {9, 3, -3, 7})}), 2);
  EXPECT_EQ(Asymmetry({Matrix(2, 2, {9, NAN, -3, 7})}), 0);
}

}  // namespace
}  // namespace attest::explain
