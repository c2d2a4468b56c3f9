// SPDX-License-Identifier: Apache-2.0
#include "harness/report/compare/compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "harness/core/words.h"
#include "harness/report/compare/mann_whitney.h"
#include "harness/report/compare/pairing.h"
#include "harness/report/compare/quantiles.h"
#include "harness/report/format.h"
#include "harness/report/statistics.h"

namespace attest::report {
namespace {

// The interval of few cells rests on their rounds, too.
constexpr int kFewestDegrees = 5;
// Turns a median absolute deviation into a standard deviation, for normal values.
constexpr double kDeviationOfMedian = 1.4826;

// In logarithms.
struct Figure {
  double change = 0, raw = 0, error = 0;
};

Estimate Describe(const Figure& figure, double quantile) {
  const double half = quantile * figure.error;
  Estimate estimate;
  estimate.ratio = std::exp(figure.change);
  estimate.raw_ratio = std::exp(figure.raw);
  estimate.low = std::exp(figure.change - half);
  estimate.high = std::exp(figure.change + half);
  return estimate;
}

bool IsWithin(const Estimate& estimate, double threshold) {
  return estimate.low > 1 / (1 + threshold) && estimate.high < 1 + threshold;
}

// A label's. `drift` is what was taken away, as a logarithm.
void DecideLabel(Estimate& e, double threshold, double drift) {
  const double limit = 1 + threshold, half = 1 + threshold / 2;
  if (e.low > 1 && e.high >= limit && e.raw_ratio >= half)
    e.change = Change::kSlower;
  else if (e.high < 1 && e.low <= 1 / limit && e.raw_ratio <= 1 / half)
    e.change = Change::kFaster;
  else if (IsWithin(e, threshold))
    e.change = Change::kSame;
  else if (std::fabs(drift) * kDriftSpread > threshold / 2)
    e.reason = fmt::format("all backends together changed by {:+.1f} %: measure again",
                           100 * std::expm1(drift));
  else
    e.reason = fmt::format(
        "too noisy: the interval is wider than {:.3g} % allows, take more rounds", 100 * threshold);
}

void DecideCell(Estimate& e, double threshold) {
  const double limit = 1 + threshold;
  if (e.low > limit && e.raw_ratio > limit)
    e.change = Change::kSlower;
  else if (e.high < 1 / limit && e.raw_ratio < 1 / limit)
    e.change = Change::kFaster;
  else if (IsWithin(e, threshold))
    e.change = Change::kSame;
  else
    e.reason = "too noisy for one cell";
}

bool Matches(const std::string& label, const std::vector<std::string>& patterns) {
  const std::string backend = label.substr(0, label.find_first_of(":@"));
  return patterns.empty() ||
         std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
           return pattern == backend || MatchesGlob(pattern, label);
         });
}

double MedianDistance(const std::vector<double>& values, double from) {
  std::vector<double> distances;
  for (double value : values) distances.push_back(std::fabs(value - from));
  return Median(distances);
}

CellChange ShowCell(const Pair& pair, bool paired) {
  const Timing &before = *PublishedTiming(*pair.before), &after = *PublishedTiming(*pair.after);
  CellChange cell;
  cell.cell = pair.cell->id;
  cell.label = LabelOf(*pair.after);
  cell.before_seconds = Median(before.samples_seconds);
  cell.after_seconds = Median(after.samples_seconds);
  cell.before_rounds = before.samples_seconds.size();
  cell.after_rounds = after.samples_seconds.size();
  cell.mann_whitney_p = MannWhitneyP(before.samples_seconds, after.samples_seconds);
  const double ratio =
      paired ? 1 / *PairedSpeedup(before, after) : cell.after_seconds / cell.before_seconds;
  cell.estimate = {ratio, ratio, 0, HUGE_VAL, Change::kUndecided, ""};
  return cell;
}

class Comparer {
 public:
  Comparer(const Pairing& pairing, Comparison& comparison)
      : pairing_(pairing), comparison_(comparison), controls_(pairing.results.size(), 0.0) {
    std::vector<DriftControl::Place> places;
    for (const Compared& result : pairing.results) {
      places.push_back(result.place);
      changes_.push_back(result.Change());
    }
    const DriftControl control(places);
    const bool removes = comparison.options.remove_drift && !comparison.paired;
    if (removes) NoteDrift(control.Controls(changes_, controls_));
    for (size_t i = 0; i < changes_.size(); ++i) corrected_.push_back(changes_[i] - controls_[i]);
    scatter_ =
        Bootstrap(pairing.results, corrected_, pairing.labels.size(), removes ? &control : nullptr,
                  comparison.options.replicates, comparison.options.seed);
  }

  void Run() {
    members_.resize(pairing_.labels.size());
    for (size_t i = 0; i < pairing_.results.size(); ++i) {
      const size_t label = pairing_.results[i].label;
      if (!IsWanted(pairing_.labels[label])) continue;
      members_[label].push_back(i);
      ++shown_results_;
      if (members_[label].size() == 1) ++shown_labels_;
    }
    for (size_t label = 0; label < members_.size(); ++label)
      if (!members_[label].empty()) AddLabel(label);
    for (const Pair& pair : pairing_.too_short) {
      if (!IsWanted(LabelOf(*pair.after))) continue;
      CellChange cell = ShowCell(pair, comparison_.paired);
      cell.estimate.reason =
          fmt::format("{} rounds, {} are needed", std::min(cell.before_rounds, cell.after_rounds),
                      kFewestRounds);
      comparison_.cells.push_back(std::move(cell));
    }
    std::stable_sort(comparison_.cells.begin(), comparison_.cells.end(), IsWorse);
  }

 private:
  // The others still tell the drift.
  bool IsWanted(const std::string& label) const {
    return Matches(label, comparison_.options.patterns);
  }

  static bool IsWorse(const CellChange& a, const CellChange& b) {
    const bool a_slower = a.estimate.change == Change::kSlower;
    const bool b_slower = b.estimate.change == Change::kSlower;
    if (a_slower != b_slower) return a_slower;
    return a.estimate.ratio > b.estimate.ratio;
  }

  void NoteDrift(const std::vector<std::optional<double>>& common) {
    for (size_t domain = 0; domain < common.size(); ++domain)
      if (common[domain])
        comparison_.drifts.push_back({pairing_.domains[domain], std::exp(*common[domain])});
  }

  void AddLabel(size_t label) {
    const std::vector<size_t>& members = members_[label];
    std::vector<double> corrected;
    Figure figure;
    double drift = 0;
    for (const size_t i : members) {
      corrected.push_back(corrected_[i]);
      figure.change += corrected.back() / static_cast<double>(members.size());
      drift += controls_[i] / static_cast<double>(members.size());
    }
    figure.raw = figure.change + drift;
    figure.error = std::hypot(scatter_.of_label[label], kDriftSpread * drift);
    const int degrees = std::max(static_cast<int>(members.size()) - 1, kFewestDegrees);
    const double tail = kFalseAlarms / static_cast<double>(shown_labels_);
    LabelChange change{pairing_.labels[label], members.size(),
                       Describe(figure, TwoSidedQuantile(tail, degrees))};
    DecideLabel(change.estimate, comparison_.options.threshold, drift);
    comparison_.labels.push_back(std::move(change));
    // A cell differs between two runs by more than its rounds tell: by what its neighbours do.
    // Within one run cells differ because backends do.
    const double between =
        comparison_.paired ? 0 : kDeviationOfMedian * MedianDistance(corrected, figure.change);
    for (const size_t i : members) AddCell(i, between);
  }

  void AddCell(size_t i, double between) {
    const double error =
        std::hypot(std::max(scatter_.of_result[i], between), kDriftSpread * controls_[i]);
    const double tail = kFalseAlarms / static_cast<double>(shown_results_);
    CellChange cell = ShowCell(pairing_.pairs[i], comparison_.paired);
    cell.estimate = Describe({corrected_[i], changes_[i], error}, TwoSidedQuantile(tail, 0));
    DecideCell(cell.estimate, comparison_.options.cell_threshold);
    comparison_.cells.push_back(std::move(cell));
  }

  const Pairing& pairing_;
  Comparison& comparison_;
  std::vector<double> changes_, controls_, corrected_;
  Scatter scatter_;
  std::vector<std::vector<size_t>> members_;  // results of each label that is to be shown
  size_t shown_labels_ = 0, shown_results_ = 0;
};

void CheckOptions(const CompareOptions& options) {
  for (const double threshold : {options.threshold, options.cell_threshold})
    if (!(threshold > 0 && std::isfinite(threshold)))
      throw std::invalid_argument(fmt::format("a threshold of {} is none", threshold));
  if (options.replicates < 2) throw std::invalid_argument("at least 2 replicates are needed");
}

std::string FindBaseline(const Report& report, const std::string& baseline) {
  std::vector<std::string> labels, of_backend, known;
  for (const VerdictCounts& counts : report.summary.per_label) {
    labels.push_back(counts.label);
    known.push_back(counts.label);
    known.push_back(counts.label.substr(0, counts.label.find_first_of(":@")));
    if (counts.label.substr(0, counts.label.find_first_of(":@")) == baseline)
      of_backend.push_back(counts.label);
  }
  if (std::find(labels.begin(), labels.end(), baseline) != labels.end()) return baseline;
  if (of_backend.size() == 1) return of_backend.front();
  if (of_backend.empty())
    throw std::invalid_argument(fmt::format("unknown baseline '{}': did you mean '{}'? (known: {})",
                                            baseline, NearestWord(baseline, known),
                                            fmt::join(labels, ", ")));
  throw std::invalid_argument(fmt::format("--baseline {}: choose one of its variants: {}", baseline,
                                          fmt::join(of_backend, ", ")));
}

void CheckBuild(const Report& report, const std::string& build) {
  std::vector<std::string> known;
  for (const Backend& backend : report.backends) {
    if (backend.name.ends_with("-" + build)) return;
    known.push_back(backend.name);
  }
  throw std::invalid_argument(
      fmt::format("no backend of a build '{}' is in the report ({}): measure both in one run, by "
                  "attest run --backend-path {}=DIR",
                  build, fmt::join(known, ", "), build));
}

Comparison Finish(const Pairing& pairing, Comparison comparison) {
  for (const LostResult& lost : pairing.lost)
    if (Matches(lost.label, comparison.options.patterns)) comparison.lost.push_back(lost);
  Comparer(pairing, comparison).Run();
  return comparison;
}

}  // namespace

std::string_view ChangeName(Change change) {
  constexpr std::string_view kNames[] = {"faster", "slower", "same", "undecided"};
  return kNames[static_cast<size_t>(change)];
}

bool HasRegression(const Comparison& comparison) {
  const auto slower = [](const auto& one) { return one.estimate.change == Change::kSlower; };
  return std::any_of(comparison.labels.begin(), comparison.labels.end(), slower) ||
         std::any_of(comparison.cells.begin(), comparison.cells.end(), slower);
}

bool HasFailure(const Comparison& comparison) {
  return std::any_of(comparison.lost.begin(), comparison.lost.end(),
                     [](const LostResult& lost) { return lost.failed; });
}

Comparison CompareReports(const Report& before, const Report& after,
                          const CompareOptions& options) {
  CheckOptions(options);
  Comparison comparison;
  comparison.before = before.date;
  comparison.after = after.date;
  comparison.options = options;
  return Finish(PairReports(before, after), std::move(comparison));
}

Comparison CompareWithBaseline(const Report& report, const std::string& baseline,
                               const CompareOptions& options) {
  CheckOptions(options);
  const std::string label = FindBaseline(report, baseline);
  Comparison comparison;
  comparison.before = label;
  comparison.after = report.date;
  comparison.paired = true;
  comparison.options = options;
  return Finish(PairWithBaseline(report, label), std::move(comparison));
}

Comparison CompareWithBuild(const Report& report, const std::string& build,
                            const CompareOptions& options) {
  CheckOptions(options);
  CheckBuild(report, build);
  Comparison comparison;
  comparison.before = "build " + build;
  comparison.after = report.date;
  comparison.paired = true;
  comparison.options = options;
  return Finish(PairWithBuild(report, build), std::move(comparison));
}

}  // namespace attest::report
