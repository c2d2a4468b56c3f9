// SPDX-License-Identifier: Apache-2.0
//
// What is said of the samples of one result: quantiles, spread, noise, rates, paired speed-up.
// Describes samples; decides nothing about a regression and assumes no distribution.
#ifndef ATTEST_HARNESS_REPORT_STATISTICS_H_
#define ATTEST_HARNESS_REPORT_STATISTICS_H_

#include <optional>
#include <span>
#include <vector>

#include "harness/report/model.h"

namespace attest::report {

// A result whose middle 60 % of rounds spreads wider than this part of the median is noisy: three
// times the default regression threshold, so that such a result cannot decide about one.
inline constexpr double kNoisySpread = 0.10;
// Rounds whose later half differs from the earlier by more are noisy: a line that rises by twice
// this from first to last would shift a median by half of kNoisySpread.
inline constexpr double kNoisyDrift = 0.05;
// Cells with at most so many query rows are limited by reading K and V where no ceiling is known.
inline constexpr int64_t kDecodeRows = 8;

// Quantile p in [0, 1] by linear interpolation between order statistics (Hyndman & Fan 1996, type
// 7, which is numpy's default). Sorts a copy. Throws std::invalid_argument for no samples, a sample
// that is not finite, or a p outside [0, 1].
double Quantile(std::span<const double> samples, double p);
double Median(std::span<const double> samples);

// Fills median, p20, p80, min, spread, drift, outliers, cpus_used, noisy and noise_reason from
// samples_seconds, which must be > 0 and finite; the other per-round lists must be empty or of the
// same length. Device times of which one is unknown (0) are all dropped. Throws
// std::invalid_argument.
void Summarize(Timing& timing);

// Marks the times as noisy for a reason beside those that Summarize found.
void AddNoise(Timing& timing, const std::string& reason);

// baseline / result of each round that both have.
std::vector<double> PairedRatios(const Timing& baseline, const Timing& result);
// Median over rounds of baseline / result, taken within each round so that the machine's drift
// cancels. Absent where the two have not the same rounds.
std::optional<double> PairedSpeedup(const Timing& baseline, const Timing& result);

// The geometric mean of positive numbers; absent for none or where one is not positive and finite.
std::optional<double> GeometricMean(std::span<const double> values);

// FLOP/s ceiling for an io type: for bf16 the better of bf16 dot products and f32 FMA, else that of
// f32 FMA. 0 = not measured.
double FlopsCeiling(const Ceiling& ceiling, int32_t dtype);
// Whether the roofline says that reading the tensors, not arithmetic, limits the cell: that of its
// rounds where they have this ceiling, else the run's. Without measured ceilings (nullptr or
// zeros): whether it has at most kDecodeRows query rows.
bool MemoryBound(const CellRecord& cell, const Ceiling* ceiling);
// The names of Ceiling's figures, and the one that limits the cell.
inline constexpr const char* kFmaFigure = "f32_fma_flops";
inline constexpr const char* kDotFigure = "bf16_dot_flops";
inline constexpr const char* kReadFigure = "read_bytes_per_second";
std::string LimitingFigure(const CellRecord& cell, const Ceiling& ceiling);
// Whether the cell has that ceiling, the CPU's with as many threads, as it was in each round.
bool HasSamplesOf(const Ceiling& ceiling, const CellRecord& cell);

// Rates at the median time. fraction_of_ceiling is of the limiting ceiling, absent where not
// measured: for the CPU's the median over rounds of the fraction within each round, where the cell
// has samples of it with as many threads.
Rates RatesOf(const CellRecord& cell, const Timing& timing, const Ceiling* ceiling);
// Those that were noted when the result was measured, else computed from the report's ceilings. The
// result has a timing.
Rates RatesFor(const Report& report, const CellRecord& cell, const Result& result);
// The ceiling that its rates name, else of the device it ran on: the one named by its backend's
// label, else "cpu" where
// the device is a CPU (or is not listed at all and the ceiling is the only one); nullptr where
// there is none.
const Ceiling* CeilingFor(const Report& report, const Result& result);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_STATISTICS_H_
