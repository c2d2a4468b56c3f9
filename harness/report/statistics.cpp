// SPDX-License-Identifier: Apache-2.0
//
// See statistics.h for the methods.
#include "harness/report/statistics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "harness/core/threads.h"

namespace attest::report {
namespace {

void CheckSamples(const Timing& timing) {
  for (double sample : timing.samples_seconds)
    if (!(sample > 0 && std::isfinite(sample)))
      throw std::invalid_argument(
          fmt::format("a sample of {} s cannot be a measured time", sample));
  const size_t rounds = timing.samples_seconds.size();
  const size_t device_samples =
      timing.device_samples_seconds ? timing.device_samples_seconds->size() : 0;
  for (size_t length : {timing.wall_samples_seconds.size(), timing.cpu_samples_seconds.size(),
                        device_samples, timing.iterations.size()})
    if (length != 0 && length != rounds)
      throw std::invalid_argument(
          fmt::format("{} samples, but {} companions of them", rounds, length));
}

// `sorted` is ascending and not empty.
double SortedQuantile(const std::vector<double>& sorted, double p) {
  const double position = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double weight = position - static_cast<double>(below);
  return sorted[below] + weight * (sorted[above] - sorted[below]);
}

std::vector<double> Sorted(std::span<const double> samples) {
  std::vector<double> sorted(samples.begin(), samples.end());
  if (sorted.empty()) throw std::invalid_argument("no samples: there is no quantile of nothing");
  for (double sample : sorted)
    if (!std::isfinite(sample))
      throw std::invalid_argument(fmt::format("a sample of {} has no place in an order", sample));
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

// Fewer rounds have no halves to speak of.
constexpr size_t kLeastRoundsForDrift = 6;

struct Drift {
  double relative = 0;    // of the halves' medians
  bool is_clear = false;  // their middle halves do not overlap
};

Drift DriftOf(std::span<const double> samples) {
  const size_t half = samples.size() / 2;
  const std::vector<double> early = Sorted(samples.first(half)), late = Sorted(samples.last(half));
  const bool up = SortedQuantile(late, 0.25) > SortedQuantile(early, 0.75);
  const bool down = SortedQuantile(late, 0.75) < SortedQuantile(early, 0.25);
  return {SortedQuantile(late, 0.5) / SortedQuantile(early, 0.5) - 1, up || down};
}

// Samples outside the quartiles by more than 1.5 times their distance (Tukey 1977).
uint64_t CountOutliers(const std::vector<double>& sorted) {
  const double low = SortedQuantile(sorted, 0.25), high = SortedQuantile(sorted, 0.75);
  const double reach = 1.5 * (high - low);
  return static_cast<uint64_t>(std::count_if(sorted.begin(), sorted.end(), [&](double sample) {
    return sample < low - reach || sample > high + reach;
  }));
}

// Known in all rounds, or in none.
void ForgetUnknownDeviceTimes(Timing& timing) {
  auto& samples = timing.device_samples_seconds;
  const auto unknown = [](double sample) { return !(sample > 0 && std::isfinite(sample)); };
  if (samples && std::any_of(samples->begin(), samples->end(), unknown)) samples.reset();
}

std::optional<double> CpusUsed(const Timing& timing) {
  std::vector<double> ratios;
  for (size_t i = 0; i < timing.cpu_samples_seconds.size(); ++i)
    if (i < timing.wall_samples_seconds.size() && timing.wall_samples_seconds[i] > 0)
      ratios.push_back(timing.cpu_samples_seconds[i] / timing.wall_samples_seconds[i]);
  if (ratios.empty()) return std::nullopt;
  return SortedQuantile(Sorted(ratios), 0.5);
}

// "" where the samples are fit to compare by.
std::string NoiseReason(const Timing& timing, const Drift& drift) {
  const size_t rounds = timing.samples_seconds.size();
  if (rounds < 2) return "one round only: its spread is unknown";
  std::vector<std::string> reasons;
  if (!(timing.spread <= kNoisySpread))
    reasons.push_back(fmt::format(
        "the middle 60 % of {} rounds spreads over {:.0f} % of the median (limit {:.0f} %)", rounds,
        100 * timing.spread, 100 * kNoisySpread));
  if (drift.is_clear && !(std::fabs(drift.relative) <= kNoisyDrift))
    reasons.push_back(fmt::format(
        "the later half of the rounds took {:.0f} % {} than the earlier (limit {:.0f} %)",
        100 * std::fabs(drift.relative), drift.relative > 0 ? "longer" : "less",
        100 * kNoisyDrift));
  if (reasons.empty()) return "";
  if (timing.outliers > 0)
    reasons.push_back(fmt::format("{} of {} rounds are outliers", timing.outliers, rounds));
  if (timing.involuntary_switches.value_or(0) > 0)
    reasons.push_back(
        fmt::format("other work took the CPU {} times", *timing.involuntary_switches));
  return fmt::format("{}", fmt::join(reasons, "; "));
}

const Device* DeviceOf(const Report& report, const Result& result) {
  for (const Backend& backend : report.backends) {
    if (backend.name != SplitThreads(result.backend).backend) continue;
    for (const Device& device : backend.devices)
      if (device.index == result.device) return &device;
  }
  return nullptr;
}

}  // namespace

double Quantile(std::span<const double> samples, double p) {
  if (!(p >= 0 && p <= 1))
    throw std::invalid_argument(fmt::format("quantile {} is outside [0, 1]", p));
  return SortedQuantile(Sorted(samples), p);
}

double Median(std::span<const double> samples) { return Quantile(samples, 0.5); }

void Summarize(Timing& timing) {
  CheckSamples(timing);
  const std::vector<double> sorted = Sorted(timing.samples_seconds);
  timing.median_seconds = SortedQuantile(sorted, 0.5);
  timing.p20_seconds = SortedQuantile(sorted, 0.2);
  timing.p80_seconds = SortedQuantile(sorted, 0.8);
  timing.min_seconds = sorted.front();
  timing.spread = (timing.p80_seconds - timing.p20_seconds) / timing.median_seconds;
  timing.outliers = CountOutliers(sorted);
  Drift drift;
  timing.drift.reset();
  if (sorted.size() >= kLeastRoundsForDrift) {
    drift = DriftOf(timing.samples_seconds);
    timing.drift = drift.relative;
  }
  timing.cpus_used = CpusUsed(timing);
  ForgetUnknownDeviceTimes(timing);
  timing.noise_reason = NoiseReason(timing, drift);
  timing.noisy = !timing.noise_reason.empty();
}

void AddNoise(Timing& timing, const std::string& reason) {
  timing.noisy = true;
  if (!timing.noise_reason.empty()) timing.noise_reason += "; ";
  timing.noise_reason += reason;
}

std::vector<double> PairedRatios(const Timing& baseline, const Timing& result) {
  // A slow result is in the first rounds only; those are the same rounds for both.
  const size_t rounds = std::min(baseline.samples_seconds.size(), result.samples_seconds.size());
  std::vector<double> ratios(rounds);
  for (size_t i = 0; i < rounds; ++i)
    ratios[i] = baseline.samples_seconds[i] / result.samples_seconds[i];
  return ratios;
}

std::optional<double> PairedSpeedup(const Timing& baseline, const Timing& result) {
  const std::vector<double> ratios = PairedRatios(baseline, result);
  if (ratios.empty()) return std::nullopt;
  return Median(ratios);
}

std::optional<double> GeometricMean(std::span<const double> values) {
  double sum = 0;
  for (double value : values) {
    if (!(value > 0 && std::isfinite(value))) return std::nullopt;
    sum += std::log(value);
  }
  if (values.empty()) return std::nullopt;
  return std::exp(sum / static_cast<double>(values.size()));
}

double FlopsCeiling(const Ceiling& ceiling, int32_t dtype) {
  // Some CPUs run bf16 dot products no faster than f32 FMA; the ceiling is the better of the two.
  if (dtype == ATTEST_BF16) return std::max(ceiling.bf16_dot_flops, ceiling.f32_fma_flops);
  return ceiling.f32_fma_flops;
}

bool HasSamplesOf(const Ceiling& ceiling, const CellRecord& cell) {
  const bool is_cpu = ceiling.name == "cpu" || ceiling.name.rfind("cpu/", 0) == 0;
  return is_cpu && cell.ceiling && cell.ceiling->threads == ceiling.threads;
}

bool MemoryBound(const CellRecord& cell, const Ceiling* ceiling) {
  const attest_problem& problem = cell.cell.problem;
  if (ceiling && HasSamplesOf(*ceiling, cell)) return cell.ceiling->figure == kReadFigure;
  const double flops = ceiling ? FlopsCeiling(*ceiling, problem.dtype) : 0;
  if (!(flops > 0 && ceiling->read_bytes_per_second > 0))
    return problem.q_sequence_length <= kDecodeRows;
  return cell.bytes_min / ceiling->read_bytes_per_second > cell.flops / flops;
}

std::string LimitingFigure(const CellRecord& cell, const Ceiling& ceiling) {
  if (MemoryBound(cell, &ceiling)) return kReadFigure;
  const bool dots =
      cell.cell.problem.dtype == ATTEST_BF16 && ceiling.bf16_dot_flops > ceiling.f32_fma_flops;
  return dots ? kDotFigure : kFmaFigure;
}

namespace {

std::optional<double> PairedFraction(const CellRecord& cell, const Timing& timing) {
  const RoundCeiling& ceiling = *cell.ceiling;
  const double work = ceiling.figure == kReadFigure ? cell.bytes_min : cell.flops;
  std::vector<double> fractions;
  const size_t rounds = std::min(ceiling.samples.size(), timing.samples_seconds.size());
  for (size_t i = 0; i < rounds; ++i)
    if (ceiling.samples[i] > 0)
      fractions.push_back(work / timing.samples_seconds[i] / ceiling.samples[i]);
  if (fractions.empty()) return std::nullopt;
  return Median(fractions);
}

}  // namespace

Rates RatesOf(const CellRecord& cell, const Timing& timing, const Ceiling* ceiling) {
  Rates rates;
  rates.flops_per_second = cell.flops / timing.median_seconds;
  rates.bytes_per_second = cell.bytes_min / timing.median_seconds;
  if (!ceiling) return rates;
  rates.ceiling = ceiling->name;
  if (HasSamplesOf(*ceiling, cell)) {
    rates.fraction_of_ceiling = PairedFraction(cell, timing);
    return rates;
  }
  const bool memory_bound = MemoryBound(cell, ceiling);
  const double limit = memory_bound ? ceiling->read_bytes_per_second
                                    : FlopsCeiling(*ceiling, cell.cell.problem.dtype);
  if (limit > 0)
    rates.fraction_of_ceiling =
        (memory_bound ? rates.bytes_per_second : rates.flops_per_second) / limit;
  return rates;
}

Rates RatesFor(const Report& report, const CellRecord& cell, const Result& result) {
  if (result.rates) return *result.rates;
  return RatesOf(cell, *result.timing, CeilingFor(report, result));
}

const Ceiling* CeilingFor(const Report& report, const Result& result) {
  for (const Ceiling& ceiling : report.ceilings)
    if (result.rates && ceiling.name == result.rates->ceiling) return &ceiling;
  const std::string label = ResultLabel(result.backend, "", result.device);
  const Device* device = DeviceOf(report, result);
  const bool on_cpu = device ? device->kind == "cpu" : report.ceilings.size() == 1;
  const Ceiling* cpu = nullptr;
  for (const Ceiling& ceiling : report.ceilings) {
    if (ceiling.name == label) return &ceiling;
    if (ceiling.name == "cpu" && on_cpu) cpu = &ceiling;
  }
  return cpu;
}

}  // namespace attest::report
