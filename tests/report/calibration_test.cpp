// SPDX-License-Identifier: Apache-2.0
//
// How often the gate alarms, and what it finds: sweeps are drawn from the rounds of recorded
// reports, whole rounds of a cell at a time, so that what slowed all backends together still does.
// The limits are those of the design: of two sweeps of one build at most 1 % alarm; one backend
// slowed by 3 % is found in at least 95 %, by 10 % always. Draws are seeded: no run differs.
//
// Says nothing about what differs between two runs and not within one; for that, pairs of recorded
// runs of one build are compared as they are.
//
// usage: calibration_test REPORT...; ATTEST_SWEEPS is the number of sweeps.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "harness/report/compare/compare.h"
#include "harness/report/compare/rounds.h"
#include "harness/report/files.h"
#include "harness/report/json.h"
#include "harness/report/statistics.h"

namespace attest::report {
namespace {

std::vector<std::string> report_paths;

size_t Sweeps() {
  const char* text = std::getenv("ATTEST_SWEEPS");
  return text ? static_cast<size_t>(std::atol(text)) : 200;
}

const std::vector<Report>& Recorded() {
  static const std::vector<Report> reports = [] {
    std::vector<Report> read;
    for (const std::string& path : report_paths) read.push_back(ReadJson(ReadFile(path), path));
    return read;
  }();
  return reports;
}

// Only what a comparison looks at is drawn and copied.
Result Drawn(const Result& recorded, const std::vector<uint64_t>& fractions) {
  Result result;
  result.backend = recorded.backend;
  result.variant = recorded.variant;
  result.device = recorded.device;
  result.verdict = recorded.verdict;
  if (!recorded.timing) return result;
  const std::vector<double>& samples = recorded.timing->samples_seconds;
  Timing& timing = result.timing.emplace();
  for (size_t i = 0; i < samples.size(); ++i)
    timing.samples_seconds.push_back(samples[(fractions[i] * samples.size()) >> 32]);
  return result;
}

Report Draw(const Report& recorded, std::mt19937_64& random) {
  Report report;
  report.backends = recorded.backends;
  for (const CellRecord& cell : recorded.cells) {
    std::vector<uint64_t> fractions(64);
    for (uint64_t& fraction : fractions) fraction = random() >> 32;
    CellRecord& drawn = report.cells.emplace_back();
    drawn.id = cell.id;
    for (const Result& result : cell.results) drawn.results.push_back(Drawn(result, fractions));
  }
  return report;
}

void Slow(Report& report, const std::string& label, double factor) {
  for (CellRecord& cell : report.cells)
    for (Result& result : cell.results)
      if (result.timing && LabelOf(result) == label)
        for (double& sample : result.timing->samples_seconds) sample *= factor;
}

std::vector<std::string> Slower(const Comparison& comparison) {
  std::vector<std::string> labels;
  for (const LabelChange& label : comparison.labels)
    if (label.estimate.change == Change::kSlower) labels.push_back(label.label);
  return labels;
}

std::vector<std::string> Labels(const Report& report) {
  std::vector<std::string> labels;
  for (const LabelChange& label : CompareReports(report, report, {}).labels)
    labels.push_back(label.label);
  return labels;
}

struct Count {
  size_t sweeps = 0, alarms = 0, found = 0, others = 0;
};

// The first of each pair as it is, the second with one backend slower by `factor`, in turn each.
Count Simulate(const Report& recorded, double factor) {
  const std::vector<std::string> labels = Labels(recorded);
  std::mt19937_64 random(20240601);
  Count count;
  for (; count.sweeps < Sweeps(); ++count.sweeps) {
    const std::string& slow = labels[count.sweeps % labels.size()];
    const Report before = Draw(recorded, random);
    Report after = Draw(recorded, random);
    Slow(after, slow, factor);
    CompareOptions options;
    options.seed = count.sweeps;
    const Comparison comparison = CompareReports(before, after, options);
    const std::vector<std::string> slower = Slower(comparison);
    const bool found = std::find(slower.begin(), slower.end(), slow) != slower.end();
    count.found += found ? 1 : 0;
    count.others += slower.size() > (found ? 1U : 0U) ? 1 : 0;
    count.alarms += HasRegression(comparison) ? 1 : 0;
  }
  std::printf("%.1f %%: %zu sweeps, %zu alarms, %zu found, %zu others\n", 100 * (factor - 1),
              count.sweeps, count.alarms, count.found, count.others);
  return count;
}

TEST(Calibration, ReportsHaveEnoughCells) {
  ASSERT_FALSE(Recorded().empty());
  for (const Report& report : Recorded()) EXPECT_GE(Labels(report).size(), 3U);
}

TEST(Calibration, SameBuildsRaiseNoAlarm) {
  for (const Report& recorded : Recorded())
    EXPECT_LE(static_cast<double>(Simulate(recorded, 1).alarms),
              0.01 * static_cast<double>(Sweeps()));
}

TEST(Calibration, ThreePerCentAreFound) {
  for (const Report& recorded : Recorded()) {
    const Count count = Simulate(recorded, 1.03);
    EXPECT_GE(static_cast<double>(count.found), 0.95 * static_cast<double>(count.sweeps));
    EXPECT_LE(static_cast<double>(count.others), 0.01 * static_cast<double>(count.sweeps));
  }
}

TEST(Calibration, TenPerCentAreAlwaysFound) {
  for (const Report& recorded : Recorded()) {
    const Count count = Simulate(recorded, 1.10);
    EXPECT_EQ(count.found, count.sweeps);
  }
}

// The counting would see a gate that says "slower" to everything, or one that is blind.
TEST(Calibration, LittleIsSeldomFound) {
  for (const Report& recorded : Recorded()) {
    const Count count = Simulate(recorded, 1.005);
    EXPECT_LE(static_cast<double>(count.found), 0.05 * static_cast<double>(count.sweeps));
  }
}

}  // namespace
}  // namespace attest::report

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  attest::report::report_paths.assign(argv + 1, argv + argc);
  return RUN_ALL_TESTS();
}
