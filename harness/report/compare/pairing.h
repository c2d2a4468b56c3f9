// SPDX-License-Identifier: Apache-2.0
//
// Which results of two reports, or of two backends in one, belong together: the same cell and
// label, both verified and measured. Decides nothing.
#ifndef ATTEST_HARNESS_REPORT_COMPARE_PAIRING_H_
#define ATTEST_HARNESS_REPORT_COMPARE_PAIRING_H_

#include <string>
#include <vector>

#include "harness/report/compare/bootstrap.h"
#include "harness/report/compare/comparison.h"

namespace attest::report {

// A bootstrap over fewer rounds says nothing: such results are shown and not counted. Slow results
// have 3 rounds.
inline constexpr size_t kFewestRounds = 5;

struct Pair {
  const CellRecord* cell = nullptr;
  const Result *before = nullptr, *after = nullptr;
};

struct Pairing {
  std::vector<std::string> labels;   // alphabetical
  std::vector<std::string> domains;  // kinds of devices
  std::vector<Compared> results;     // in the order that DriftControl wants
  std::vector<Pair> pairs;           // of `results`
  std::vector<Pair> too_short;       // fewer than kFewestRounds
  std::vector<LostResult> lost;
};

// The published timing of a result, or nullptr.
const Timing* PublishedTiming(const Result& result);

// The reports must outlive the pairing.
Pairing PairReports(const Report& before, const Report& after);
// Each other label against `baseline` with as many threads in the same report, by rounds.
Pairing PairWithBaseline(const Report& report, const std::string& baseline);
// Each result of a backend B against that of B-`build` with as many threads in the same report, by
// rounds.
Pairing PairWithBuild(const Report& report, const std::string& build);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_COMPARE_PAIRING_H_
