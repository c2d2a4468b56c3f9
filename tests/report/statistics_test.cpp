// SPDX-License-Identifier: Apache-2.0
#include "harness/report/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/report/fixture.h"

namespace attest::report {
namespace {

Timing TimingWith(std::vector<double> samples) {
  Timing timing;
  timing.samples_seconds = std::move(samples);
  return timing;
}

TEST(Quantile, IsNumpysDefault) {
  // numpy.quantile([3, 1, 2, 10], [0, 0.2, 0.5, 0.8, 1]) = [1, 1.6, 2.5, 5.8, 10]
  const std::vector<double> samples = {3, 1, 2, 10};
  EXPECT_DOUBLE_EQ(Quantile(samples, 0), 1);
  EXPECT_DOUBLE_EQ(Quantile(samples, 0.2), 1.6);
  EXPECT_DOUBLE_EQ(Median(samples), 2.5);
  EXPECT_DOUBLE_EQ(Quantile(samples, 0.8), 5.8);
  EXPECT_DOUBLE_EQ(Quantile(samples, 1), 10);
  EXPECT_DOUBLE_EQ(Median(std::vector<double>{7}), 7);
}

TEST(Quantile, RefusesWhatHasNone) {
  const std::vector<double> one = {1};
  EXPECT_THROW(Median(std::vector<double>{}), std::invalid_argument);
  EXPECT_THROW(Median(std::vector<double>{1, std::nan("")}), std::invalid_argument);
  EXPECT_THROW(Quantile(one, 1.5), std::invalid_argument);
  EXPECT_THROW(Quantile(one, std::nan("")), std::invalid_argument);
}

TEST(AddNoise, KeepsWhatWasFound) {
  Timing timing = TimingWith({1.00, 1.01, 0.99, 1.00, 1.02});
  Summarize(timing);
  AddNoise(timing, "5 threads share 2 CPUs");
  EXPECT_TRUE(timing.noisy);
  EXPECT_EQ(timing.noise_reason, "5 threads share 2 CPUs");
  AddNoise(timing, "smoke");
  EXPECT_EQ(timing.noise_reason, "5 threads share 2 CPUs; smoke");
}

TEST(Summarize, QuietSamples) {
  Timing timing = TimingWith({1.00, 1.01, 0.99, 1.00, 1.02});
  Summarize(timing);
  EXPECT_DOUBLE_EQ(timing.median_seconds, 1);
  EXPECT_DOUBLE_EQ(timing.min_seconds, 0.99);
  EXPECT_NEAR(timing.spread, (1.012 - 0.998) / 1, 1e-12);
  EXPECT_FALSE(timing.noisy);
  EXPECT_EQ(timing.noise_reason, "");
}

TEST(Summarize, NoiseHasAReason) {
  Timing wide = TimingWith({1, 1, 1, 1.5, 1.5, 1.5});
  Summarize(wide);
  EXPECT_TRUE(wide.noisy);
  EXPECT_NE(wide.noise_reason.find("40 % of the median (limit 10 %)"), std::string::npos)
      << wide.noise_reason;
  Timing single = TimingWith({1});
  Summarize(single);
  EXPECT_TRUE(single.noisy);
  EXPECT_NE(single.noise_reason.find("one round"), std::string::npos);
}

TEST(Summarize, DeviceTimesAreKnownInAllRoundsOrInNone) {
  Timing timing = TimingWith({1, 1, 1});
  timing.device_samples_seconds = {0.9, 0.8, 0.9};
  Summarize(timing);
  EXPECT_EQ(timing.device_samples_seconds, (std::vector<double>{0.9, 0.8, 0.9}));
  timing.device_samples_seconds = {0.9, 0, 0.9};
  Summarize(timing);
  EXPECT_FALSE(timing.device_samples_seconds);
  timing.device_samples_seconds = {0.9, 0.8};
  EXPECT_THROW(Summarize(timing), std::invalid_argument);
}

TEST(Summarize, OneDisturbedRoundIsNoNoise) {
  Timing timing = TimingWith({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9});
  timing.involuntary_switches = 40;
  Summarize(timing);
  EXPECT_FALSE(timing.noisy) << timing.noise_reason;
  EXPECT_EQ(timing.outliers, 1u);
}

TEST(Summarize, OutliersAreBeyondTukeysFences) {
  // Quartiles 2.75 and 6.25 of 1..8: the fences are at -2.5 and 11.5.
  Timing within = TimingWith({1, 2, 3, 4, 5, 6, 7, 8});
  Summarize(within);
  EXPECT_EQ(within.outliers, 0u);
  Timing beyond = TimingWith({0.1, 5, 5.1, 5.2, 5.3, 5.4, 5.5, 20});
  Summarize(beyond);
  EXPECT_EQ(beyond.outliers, 2u);
}

TEST(Summarize, DriftIsOfTheHalves) {
  Timing rising = TimingWith({1.00, 1.01, 1.02, 1.07, 1.08, 1.09});  // spread 7 %
  rising.involuntary_switches = 5;
  Summarize(rising);
  EXPECT_DOUBLE_EQ(rising.drift.value(), 1.08 / 1.01 - 1);
  EXPECT_TRUE(rising.noisy);
  EXPECT_NE(rising.noise_reason.find("later half of the rounds took 7 % longer"), std::string::npos)
      << rising.noise_reason;
  EXPECT_NE(rising.noise_reason.find("other work took the CPU 5 times"), std::string::npos)
      << rising.noise_reason;
  Timing falling = TimingWith({1.09, 1.08, 1.07, 1.02, 1.01, 1.00});
  Summarize(falling);
  EXPECT_NE(falling.noise_reason.find("took 6 % less"), std::string::npos) << falling.noise_reason;
}

TEST(Summarize, HalvesThatOverlapAreNoDrift) {
  Timing mixed = TimingWith({1.00, 1.01, 1.09, 1.00, 1.08, 1.09});
  Summarize(mixed);
  EXPECT_GT(mixed.drift.value(), kNoisyDrift);
  EXPECT_FALSE(mixed.noise_reason.find("later half") != std::string::npos) << mixed.noise_reason;
  Timing few = TimingWith({1, 1.1, 1.2});
  Summarize(few);
  EXPECT_FALSE(few.drift);
}

TEST(Summarize, RefusesWhatIsNoTime) {
  for (double bad : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    Timing timing = TimingWith({1, bad});
    EXPECT_THROW(Summarize(timing), std::invalid_argument) << bad;
  }
  Timing none;
  EXPECT_THROW(Summarize(none), std::invalid_argument);
  Timing uneven = TimingWith({1, 2});
  uneven.cpu_samples_seconds = {1};
  EXPECT_THROW(Summarize(uneven), std::invalid_argument);
}

TEST(PairedSpeedup, IsTakenWithinRounds) {
  // The machine slows down fourfold half-way; within each round the baseline takes twice as long.
  const Timing baseline = TimingWith({2, 2, 8, 8}), result = TimingWith({1, 1, 4, 4});
  EXPECT_DOUBLE_EQ(PairedSpeedup(baseline, result).value(), 2);
  EXPECT_DOUBLE_EQ(PairedSpeedup(baseline, TimingWith({1, 2})).value(), 1.5);
  EXPECT_FALSE(PairedSpeedup(TimingWith({}), TimingWith({})));
}

TEST(GeometricMean, OfPositiveNumbersOnly) {
  EXPECT_DOUBLE_EQ(GeometricMean(std::vector<double>{1, 4}).value(), 2);
  EXPECT_FALSE(GeometricMean({}));
  EXPECT_FALSE(GeometricMean(std::vector<double>{1, 0}));
  EXPECT_FALSE(GeometricMean(std::vector<double>{1, std::nan("")}));
}

TEST(Ceiling, LimitsByTheRoofline) {
  Report report = MakeReport();
  for (CellRecord& cell : report.cells) cell.ceiling.reset();  // the run's, not the rounds'
  const Ceiling& cpu = report.ceilings.front();
  EXPECT_FALSE(MemoryBound(report.cells[0], &cpu));
  EXPECT_TRUE(MemoryBound(report.cells[1], &cpu));
  EXPECT_FALSE(MemoryBound(report.cells[0], nullptr));
  EXPECT_TRUE(MemoryBound(report.cells[1], nullptr));
  const Rates decode = RatesOf(report.cells[1], *report.cells[1].results[0].timing, &cpu);
  EXPECT_DOUBLE_EQ(decode.fraction_of_ceiling.value(), decode.bytes_per_second / 2e10);
  EXPECT_FALSE(
      RatesOf(report.cells[0], *report.cells[0].results[0].timing, nullptr).fraction_of_ceiling);
}

TEST(Ceiling, ThatOfTheRoundsSaysWhatLimits) {
  Report report = MakeReport();
  CellRecord& decode = report.cells[1];
  Ceiling& cpu = report.ceilings.front();
  decode.ceiling = RoundCeiling{kFmaFigure, static_cast<int>(cpu.threads), 0, {100}, 100};
  EXPECT_FALSE(MemoryBound(decode, &cpu)) << "its tensors lie in a cache";
  decode.ceiling->figure = kReadFigure;
  EXPECT_TRUE(MemoryBound(decode, &cpu));
  decode.ceiling = RoundCeiling{kFmaFigure, static_cast<int>(cpu.threads) + 1, 0, {100}, 100};
  EXPECT_TRUE(MemoryBound(decode, &cpu)) << "samples of another number of threads";
}

TEST(RatesOf, FractionIsPairedWithTheCeilingOfEachRound) {
  Report report = MakeReport();
  CellRecord& cell = report.cells[0];
  Timing timing;
  timing.samples_seconds = {1, 2, 4};  // the machine halves its speed from round to round ...
  timing.median_seconds = 2;
  cell.flops = 90;
  cell.ceiling = RoundCeiling{kFmaFigure, 2, 0, {100, 50, 25, 12}, 37};  // ... for both
  EXPECT_DOUBLE_EQ(RatesOf(cell, timing, &report.ceilings[0]).fraction_of_ceiling.value(), 0.9);
  cell.bytes_min = 30;
  cell.ceiling->figure = kReadFigure;
  EXPECT_DOUBLE_EQ(RatesOf(cell, timing, &report.ceilings[0]).fraction_of_ceiling.value(), 0.3);
  cell.ceiling->threads = 1;  // samples of another number of threads
  EXPECT_DOUBLE_EQ(RatesOf(cell, timing, &report.ceilings[0]).fraction_of_ceiling.value(),
                   15 / 2e10);
  cell.ceiling->threads = 2;
  report.ceilings[0].name = "opencl@1";  // not the CPU's
  EXPECT_DOUBLE_EQ(RatesOf(cell, timing, &report.ceilings[0]).fraction_of_ceiling.value(),
                   15 / 2e10)
      << "that of the run: reading limits it";
}

TEST(LimitingFigure, IsTheLongerTimeOfTheRoofline) {
  CellRecord cell;
  cell.cell.problem.dtype = ATTEST_BF16;
  cell.flops = 1000;
  cell.bytes_min = 10;
  const Ceiling cpu{"cpu", 2, "avx512", 100, 190, 10, 0};
  EXPECT_EQ(LimitingFigure(cell, cpu), kDotFigure);
  cell.cell.problem.dtype = ATTEST_F32;
  EXPECT_EQ(LimitingFigure(cell, cpu), kFmaFigure);
  cell.bytes_min = 1000;
  EXPECT_EQ(LimitingFigure(cell, cpu), kReadFigure);
}

TEST(Ceiling, OfBf16IsItsOwnWhereMeasured) {
  Ceiling ceiling;
  ceiling.f32_fma_flops = 1;
  EXPECT_EQ(FlopsCeiling(ceiling, ATTEST_BF16), 1);
  ceiling.bf16_dot_flops = 2;
  EXPECT_EQ(FlopsCeiling(ceiling, ATTEST_BF16), 2);
  EXPECT_EQ(FlopsCeiling(ceiling, ATTEST_F32), 1);
}

TEST(Ceiling, BelongsToADevice) {
  Report report = MakeReport();
  Result result = report.cells[0].results[0];
  result.rates.reset();
  EXPECT_EQ(CeilingFor(report, result), &report.ceilings[0]);
  report.backends[0].devices[0].kind = "gpu";
  EXPECT_EQ(CeilingFor(report, result), nullptr);
  report.ceilings.push_back({"eigen@1"});
  report.ceilings.push_back({"eigen"});
  EXPECT_EQ(CeilingFor(report, result), &report.ceilings[2]);
  result.device = 1;
  EXPECT_EQ(CeilingFor(report, result), &report.ceilings[1]);
}

// Reads from a cache are held against reads from that cache.
TEST(Ceiling, IsTheOneThatTheRatesName) {
  Report report = MakeReport();
  report.ceilings.push_back({"cpu/4096-bytes"});
  Result result = report.cells[0].results[0];
  ASSERT_EQ(result.rates->ceiling, "cpu");
  result.rates->ceiling = "cpu/4096-bytes";
  EXPECT_EQ(CeilingFor(report, result), &report.ceilings.back());
  result.rates->fraction_of_ceiling = 0.25;
  EXPECT_EQ(RatesFor(report, report.cells[0], result).fraction_of_ceiling, 0.25);
  result.rates.reset();
  EXPECT_EQ(RatesFor(report, report.cells[0], result).ceiling, "cpu");
}

}  // namespace
}  // namespace attest::report
