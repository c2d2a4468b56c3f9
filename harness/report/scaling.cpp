// SPDX-License-Identifier: Apache-2.0
#include "harness/report/scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "harness/core/threads.h"
#include "harness/report/statistics.h"

namespace attest::report {
namespace {

constexpr double kConfidence = 0.95;

// The greatest k so that the k-th smallest and the k-th largest of n samples enclose the median
// with that confidence: it is outside with 2 P(Binomial(n, 1/2) < k). 0 = there is none.
size_t EnclosingRank(size_t n) {
  const auto exactly = [n = static_cast<double>(n)](double k) {
    return std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) -
                    n * std::numbers::ln2);
  };
  size_t rank = 0;
  for (double below = exactly(0); rank < n && 2 * below <= 1 - kConfidence;)
    below += exactly(static_cast<double>(++rank));
  return rank;
}

bool IsMeasured(const Result& result) {
  return IsVerified(result.verdict) && result.timing && !result.timing->samples_seconds.empty() &&
         result.threads.has_value();
}

// That of the same backend, variant and device with the fewest threads, other than the result.
const Result* FewestThreads(const std::vector<Result>& results, const Result& result) {
  const Result* fewest = &result;
  for (const Result& other : results)
    if (IsMeasured(other) && *other.threads < *fewest->threads &&
        LabelOfAnyThreads(other) == LabelOfAnyThreads(result))
      fewest = &other;
  return fewest == &result ? nullptr : fewest;
}

}  // namespace

std::optional<std::pair<double, double>> MedianInterval(std::span<const double> samples) {
  const size_t rank = EnclosingRank(samples.size());
  if (rank == 0) return std::nullopt;
  const auto last = static_cast<double>(samples.size() - 1);
  const double first = static_cast<double>(rank - 1);
  return std::pair(Quantile(samples, first / last), Quantile(samples, 1 - first / last));
}

std::optional<Scaling> ScalingOf(const Timing& from, int from_threads, const Timing& result,
                                 int threads) {
  const std::vector<double> ratios = PairedRatios(from, result);
  if (ratios.empty()) return std::nullopt;
  Scaling scaling;
  scaling.from_threads = from_threads;
  scaling.ratio = Median(ratios);
  if (const auto interval = MedianInterval(ratios)) {
    scaling.low = interval->first;
    scaling.high = interval->second;
  }
  scaling.efficiency = scaling.ratio * from_threads / threads;
  scaling.rounds = ratios.size();
  return scaling;
}

void NoteScaling(std::vector<Result>& results) {
  for (Result& result : results) {
    if (!IsMeasured(result)) continue;
    if (const Result* from = FewestThreads(results, result))
      result.scaling = ScalingOf(*from->timing, *from->threads, *result.timing, *result.threads);
  }
}

unsigned FewerThreads(const Result& result) { return SplitThreads(result.backend).fewer; }

std::string LabelOfAnyThreads(const Result& result) {
  return ResultLabel(SplitThreads(result.backend).backend, result.variant, result.device);
}

const Result* BaselineOf(const CellRecord& cell, const std::string& label, const Result& result) {
  for (const Result& other : cell.results) {
    const bool named = LabelOf(other) == label || LabelOfAnyThreads(other) == label;
    if (named && FewerThreads(other) == FewerThreads(result)) return &other;
  }
  return nullptr;
}

}  // namespace attest::report
