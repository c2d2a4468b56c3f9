// SPDX-License-Identifier: Apache-2.0
//
// Has a backend become slower? Two reports, or two backends within one.
//
// A cell's change is the difference of the centres (rounds.h) of both sides in logarithms, less
// what the other backends changed by on the same cell (drift.h). A label's change is the geometric
// mean over its cells. Intervals are a standard error of the bootstrap, widened by the drift that
// was removed, times Student's or the normal quantile that keeps all labels together, and all cells
// together, at kFalseAlarms.
//
// Slower: no change is outside the interval, a change by the threshold is not above it, and the
// time itself, drift included, grew by half the threshold (so that an improvement of all others is
// no regression of one). Same: all of the interval is within the threshold. A single cell is
// slower only with the whole interval beyond its own, larger threshold. Undecided otherwise.
// How often this alarms, and what it finds: tests/report/calibration_test.cpp.
#ifndef ATTEST_HARNESS_REPORT_COMPARE_COMPARE_H_
#define ATTEST_HARNESS_REPORT_COMPARE_COMPARE_H_

#include <string>

#include "harness/report/compare/comparison.h"

namespace attest::report {

// Of two reports of one build, at most so many differ in a label, and so many in a cell.
inline constexpr double kFalseAlarms = 0.01;
// Standard error of a backend's own answer to a slower machine, as part of the drift: measured on
// pairs of runs of one build, one of them on a busy machine, where the machine was 7 % slower and
// backends between 4 % and 10 %.
inline constexpr double kDriftSpread = 0.4;

// Throws std::invalid_argument for options that make no sense. No common cell: no labels, no cells.
Comparison CompareReports(const Report& before, const Report& after, const CompareOptions& options);

// Each label against the baseline, a label or the name of a backend with one variant. Drift cancels
// within rounds. Throws std::invalid_argument with the known labels where it is none.
Comparison CompareWithBaseline(const Report& report, const std::string& baseline,
                               const CompareOptions& options);

// Each backend B against its build B-`build` in the same report (run --backend-path BUILD=DIR),
// likewise. Throws std::invalid_argument with the known backends where nothing is of that build.
Comparison CompareWithBuild(const Report& report, const std::string& build,
                            const CompareOptions& options);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_COMPARE_COMPARE_H_
