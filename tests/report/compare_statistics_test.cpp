// SPDX-License-Identifier: Apache-2.0
//
// The parts of a comparison, against scipy 1.17's figures and by hand: quantiles, Mann-Whitney,
// centres of rounds, drift, bootstrap.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "harness/report/compare/bootstrap.h"
#include "harness/report/compare/mann_whitney.h"
#include "harness/report/compare/quantiles.h"

namespace attest::report {
namespace {

TEST(Quantiles, AreScipys) {
  struct Row {
    double tail;
    int degrees;
    double t;
  };
  for (const Row& row :
       {Row{0.05, 1, 12.7062047362}, Row{0.05, 2, 4.30265272975}, Row{0.01, 5, 4.03214298356},
        Row{0.002, 21, 3.52715366887}, Row{0.001, 100, 3.39049131116},
        Row{0.0001, 30, 4.48241717541}, Row{0.05, 0, 1.95996398454}, Row{0.01, 0, 2.57582930355},
        Row{0.0001, 0, 3.89059188641}}) {
    EXPECT_NEAR(TwoSidedQuantile(row.tail, row.degrees), row.t, 1e-8 * row.t) << row.degrees;
    EXPECT_NEAR(TwoSidedTail(row.t, row.degrees), row.tail, 1e-8 * row.tail) << row.degrees;
  }
}

TEST(MannWhitney, ExactIsScipys) {
  const std::vector<double> a = {1.1, 2.2, 3.3, 4.4, 5.5, 6.6}, b = {2.1, 3.1, 4.1, 7.1, 8.1};
  EXPECT_NEAR(MannWhitneyP(a, b), 0.6623376623376623, 1e-12);
  EXPECT_NEAR(MannWhitneyP(b, a), 0.6623376623376623, 1e-12);
  std::vector<double> c(12), d(12);
  std::iota(c.begin(), c.end(), 1.0);
  std::iota(d.begin(), d.end(), 7.5);
  EXPECT_NEAR(MannWhitneyP(c, d), 0.000495533541703955, 1e-12);
}

TEST(MannWhitney, TiesAndManyValuesAreScipys) {
  const std::vector<double> a = {1, 2, 2, 3, 4, 4, 4, 5}, b = {2, 3, 4, 5, 6, 6, 7, 7, 8};
  EXPECT_NEAR(MannWhitneyP(a, b), 0.032298784356204306, 1e-12);
  std::vector<double> c(25), d(22);
  std::iota(c.begin(), c.end(), 0.0);
  std::iota(d.begin(), d.end(), 5.3);
  EXPECT_NEAR(MannWhitneyP(c, d), 0.07161685540092665, 1e-12);
}

TEST(MannWhitney, SaysNothingOfNothing) {
  const std::vector<double> none, one = {1, 1, 1};
  EXPECT_EQ(MannWhitneyP(none, one), 1);
  EXPECT_EQ(MannWhitneyP(one, one), 1);
}

TEST(Rounds, CentreOfTimesIsTheFasterHalf) {
  EXPECT_DOUBLE_EQ(Rounds(std::vector<double>{9, 1, 2, 3}, Centre::kFasterHalf).Value(), 1.5);
  EXPECT_DOUBLE_EQ(Rounds(std::vector<double>{9, 1, 2, 3, 8}, Centre::kFasterHalf).Value(), 2);
  EXPECT_DOUBLE_EQ(Rounds(std::vector<double>{7}, Centre::kFasterHalf).Value(), 7);
}

TEST(Rounds, CentreOfRatiosIsTheMedian) {
  EXPECT_DOUBLE_EQ(Rounds(std::vector<double>{9, 1, 2, 4}, Centre::kMedian).Value(), 3);
  EXPECT_DOUBLE_EQ(Rounds(std::vector<double>{9, 1, 2, 4, 8}, Centre::kMedian).Value(), 4);
}

// What is drawn again is what sorting the drawn rounds gives.
TEST(Rounds, ResampledAsBySorting) {
  std::mt19937_64 random(7);
  for (int trial = 0; trial < 200; ++trial) {
    const size_t size = 1 + DrawIndex(random, 13);
    std::vector<double> values;
    for (size_t i = 0; i < size; ++i) values.push_back(static_cast<double>(DrawIndex(random, 9)));
    std::vector<uint32_t> drawn;
    std::vector<double> chosen;
    for (size_t i = 0; i < size; ++i) {
      drawn.push_back(static_cast<uint32_t>(DrawIndex(random, size)));
      chosen.push_back(values[drawn.back()]);
    }
    for (const Centre centre : {Centre::kFasterHalf, Centre::kMedian})
      EXPECT_DOUBLE_EQ(Rounds(values, centre).Resampled(drawn), Rounds(chosen, centre).Value());
  }
}

using Place = DriftControl::Place;

TEST(Drift, IsTheMedianOfTheOtherBackends) {
  const std::vector<Place> places = {{0, 0}, {0, 1}, {0, 2}, {0, 3}};
  std::vector<double> controls(4);
  const auto common = DriftControl(places).Controls(std::vector<double>{9, 1, 2, 4}, controls);
  EXPECT_EQ(controls, (std::vector<double>{2, 4, 4, 2}));
  ASSERT_TRUE(common[0]);
  EXPECT_DOUBLE_EQ(*common[0], 3);
}

TEST(Drift, VariantsOfABackendCountAsOne) {
  const std::vector<Place> places = {{0, 0}, {0, 0}, {0, 0}, {0, 1}, {0, 2}};
  std::vector<double> controls(5);
  DriftControl(places).Controls(std::vector<double>{-5, -6, -7, 1, 2}, controls);
  EXPECT_EQ(controls, (std::vector<double>{1.5, 1.5, 1.5, -2, -2.5}));
}

TEST(Drift, CellsWithTooFewBackendsTakeThatOfTheOthers) {
  const std::vector<Place> places = {{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}};
  std::vector<double> controls(5);
  DriftControl(places).Controls(std::vector<double>{3, 3, 3, 7, 8}, controls);
  EXPECT_EQ(controls, (std::vector<double>{3, 3, 3, 3, 3}));
}

TEST(Drift, OfAGraphicsCardIsNotTheHosts) {
  const std::vector<Place> places = {{0, 0, 0}, {0, 1, 0}, {0, 2, 0}, {0, 3, 1}};
  std::vector<double> controls(4, -1);
  const auto common = DriftControl(places).Controls(std::vector<double>{3, 3, 3, 0}, controls);
  EXPECT_EQ(controls[3], 0);
  EXPECT_TRUE(common[0]);
  EXPECT_FALSE(common[1]);
}

// The standard error of a mean of n values that scatter by s is s / sqrt(n).
TEST(Bootstrap, FindsTheErrorOfAMean) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> noise(0, 0.02);
  std::vector<Compared> results;
  std::vector<double> changes;
  for (size_t cell = 0; cell < 40; ++cell) {
    const std::vector<double> still(12, 0.0);
    results.push_back({{cell, 0, 0}, 0, Rounds(still, Centre::kMedian), {}});
    changes.push_back(noise(random));
  }
  const double mean = std::accumulate(changes.begin(), changes.end(), 0.0) / 40;
  double squares = 0;
  for (double change : changes) squares += (change - mean) * (change - mean);
  const double expected = std::sqrt(squares / 39 / 40);
  const Scatter scatter = Bootstrap(results, changes, 1, nullptr, 4000, 1);
  EXPECT_NEAR(scatter.of_label[0], expected, 0.05 * expected);
  EXPECT_EQ(scatter.of_result[0], 0);
}

TEST(Bootstrap, FindsTheErrorOfAMedianOfRounds) {
  // 1,000 rounds as a normal variable has them: the median's standard error is 1.2533 s / sqrt(n).
  std::vector<double> rounds(1000);
  for (size_t i = 0; i < 500; ++i) {
    rounds[i] = TwoSidedQuantile((static_cast<double>(i) + 0.5) / 500, 0);
    rounds[999 - i] = -rounds[i];
  }
  const std::vector<Compared> results = {{{0, 0, 0}, 0, Rounds(rounds, Centre::kMedian), {}}};
  const Scatter scatter = Bootstrap(results, {0.0}, 1, nullptr, 2000, 1);
  EXPECT_NEAR(scatter.of_result[0], 1.2533 / std::sqrt(1000), 0.15 * 1.2533 / std::sqrt(1000));
  EXPECT_EQ(scatter.of_result[0], scatter.of_label[0]);
}

// What disturbs all backends of a cell in the same rounds is no scatter of their difference.
TEST(Bootstrap, CommonRoundsCancel) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> noise(0, 0.1);
  std::vector<double> rounds(12);
  for (double& round : rounds) round = noise(random);
  std::vector<Compared> results;
  std::vector<Place> places;
  for (size_t backend = 0; backend < 4; ++backend) {
    places.push_back({0, backend, 0});
    results.push_back({places.back(), backend, Rounds(rounds, Centre::kFasterHalf),
                       Rounds(rounds, Centre::kFasterHalf)});
  }
  const DriftControl control(places);
  const std::vector<double> changes(4, 0.0);
  EXPECT_LT(Bootstrap(results, changes, 4, &control, 200, 1).of_result[0], 1e-12);
  EXPECT_GT(Bootstrap(results, changes, 4, nullptr, 200, 1).of_result[0], 0.01);
}

}  // namespace
}  // namespace attest::report
