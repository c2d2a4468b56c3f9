// SPDX-License-Identifier: Apache-2.0
#include "harness/report/scaling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "harness/report/statistics.h"

namespace attest::report {
namespace {

Result Measured(const char* backend, int threads, std::vector<double> samples) {
  Result result;
  result.backend = backend;
  result.variant = "flash";
  result.verdict = Verdict::kPass;
  result.threads = threads;
  result.timing.emplace();
  result.timing->samples_seconds = std::move(samples);
  return result;
}

std::vector<double> CountTo(int n) {
  std::vector<double> samples(static_cast<size_t>(n));
  std::iota(samples.begin(), samples.end(), 1.0);
  return samples;
}

TEST(MedianInterval, IsOfTheBinomialsOrderStatistics) {
  // Conover's table for p = 1/2: of 6 samples the extremes (1 - 2/64), of 12 the third from each
  // end (1 - 2 * 79/4096), of 20 the sixth.
  EXPECT_FALSE(MedianInterval(CountTo(5)));
  EXPECT_FALSE(MedianInterval({}));
  for (const auto& [n, rank] : {std::pair{6, 1}, {8, 1}, {9, 2}, {12, 3}, {20, 6}, {100, 40}}) {
    const auto interval = MedianInterval(CountTo(n));
    ASSERT_TRUE(interval) << n;
    EXPECT_DOUBLE_EQ(interval->first, rank) << n;
    EXPECT_DOUBLE_EQ(interval->second, n + 1 - rank) << n;
  }
  const auto many = MedianInterval(CountTo(5000));  // 2^-5000 is no double
  ASSERT_TRUE(many);
  EXPECT_NEAR(many->first, 2500 - 0.98 * std::sqrt(5000), 2);
  EXPECT_THROW((void)MedianInterval(std::vector<double>(6, NAN)), std::invalid_argument);
}

TEST(ScalingOf, IsTheMedianOfRatiosWithinRounds) {
  Timing one, four;
  one.samples_seconds = {2, 4, 8, 2, 4, 8};  // a machine whose speed changes from round to round
  four.samples_seconds = {1, 2, 4, 1, 2, 2};
  const auto scaling = ScalingOf(one, 1, four, 4);
  ASSERT_TRUE(scaling);
  EXPECT_DOUBLE_EQ(scaling->ratio, 2);
  EXPECT_DOUBLE_EQ(scaling->efficiency, 0.5);
  EXPECT_DOUBLE_EQ(scaling->low.value(), 2);
  EXPECT_DOUBLE_EQ(scaling->high.value(), 4);
  EXPECT_EQ(scaling->rounds, 6u);
  EXPECT_EQ(scaling->from_threads, 1);
  one.samples_seconds.resize(3);  // slow: the first three rounds alone
  const auto few = ScalingOf(one, 1, four, 4);
  ASSERT_TRUE(few);
  EXPECT_EQ(few->rounds, 3u);
  EXPECT_FALSE(few->low || few->high);
  EXPECT_FALSE(ScalingOf(Timing(), 1, four, 4));
}

TEST(NoteScaling, HoldsEachAgainstItsOwnFewestThreads) {
  std::vector<Result> results = {Measured("cpu", 8, {1}), Measured("cpu-2t", 2, {4}),
                                 Measured("cpu-4t", 4, {2}), Measured("eigen-2t", 2, {9}),
                                 Measured("eigen", 8, {3})};
  NoteScaling(results);
  EXPECT_DOUBLE_EQ(results[0].scaling->ratio, 4);
  EXPECT_DOUBLE_EQ(results[0].scaling->efficiency, 1);
  EXPECT_FALSE(results[1].scaling) << "the fewest is compared with nothing";
  EXPECT_DOUBLE_EQ(results[2].scaling->ratio, 2);
  EXPECT_EQ(results[2].scaling->from_threads, 2);
  EXPECT_DOUBLE_EQ(results[4].scaling->ratio, 3);
}

TEST(NoteScaling, OnlyOfWhatIsVerifiedAndOfTheSameKind) {
  std::vector<Result> results = {Measured("cpu", 2, {1}), Measured("cpu-1t", 1, {2})};
  results[1].verdict = Verdict::kFail;
  NoteScaling(results);
  EXPECT_FALSE(results[0].scaling);
  results[1].verdict = Verdict::kPass;
  results[1].device = 1;
  NoteScaling(results);
  EXPECT_FALSE(results[0].scaling) << "another device";
  results[1].device = 0;
  results[1].variant = "decode";
  NoteScaling(results);
  EXPECT_FALSE(results[0].scaling) << "another variant";
  results[1].variant = "flash";
  results[0].threads.reset();
  NoteScaling(results);
  EXPECT_FALSE(results[0].scaling) << "a device that is no CPU";
}

TEST(BaselineOf, HasAsManyThreads) {
  CellRecord cell;
  cell.results = {Measured("cpu", 2, {1}), Measured("cpu-1t", 1, {2}), Measured("eigen-1t", 1, {4}),
                  Measured("eigen", 2, {3}), Measured("cuda", 2, {1})};
  cell.results[4].threads.reset();
  const auto baseline = [&](size_t of, const char* label = "eigen:flash") {
    const Result* found = BaselineOf(cell, label, cell.results[of]);
    return found ? LabelOf(*found) : "";
  };
  EXPECT_EQ(baseline(0), "eigen:flash");
  EXPECT_EQ(baseline(1), "eigen-1t:flash");
  EXPECT_EQ(baseline(4), "eigen:flash");
  EXPECT_EQ(baseline(1, "eigen-1t:flash"), "eigen-1t:flash");
  EXPECT_EQ(baseline(0, "eigen-1t:flash"), "") << "one thread is no baseline of two";
}

}  // namespace
}  // namespace attest::report
