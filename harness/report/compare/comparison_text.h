// SPDX-License-Identifier: Apache-2.0
//
// A comparison for a terminal, for a pull request, and for programs. Names from reports are data:
// they are escaped.
#ifndef ATTEST_HARNESS_REPORT_COMPARE_COMPARISON_TEXT_H_
#define ATTEST_HARNESS_REPORT_COMPARE_COMPARISON_TEXT_H_

#include <string>

#include "harness/report/compare/comparison.h"

namespace attest::report {

// A comment on a pull request holds 65,536 characters, a job's summary 1 MiB (GitHub's limits).
inline constexpr size_t kCommentLimit = 65536;
inline constexpr size_t kStepSummaryLimit = 1 << 20;

// Tables: labels, then the cells that are slower, faster or worth a look.
std::string ComparisonText(const Comparison& comparison);
// The worst first; at most `limit` bytes, with a last line that says what was left out.
std::string ComparisonMarkdown(const Comparison& comparison, size_t limit);
// One object with all cells; keys carry units. Ends in a newline.
std::string ComparisonJson(const Comparison& comparison);

// "2 backends slower: a, b" or "nothing is slower in 5 backends, 110 results".
std::string Headline(const Comparison& comparison);
// Lines about drift, lost results and whatever `notes` holds.
std::vector<std::string> NoteLines(const Comparison& comparison);

// ---- the words of a row, shared by text and Markdown ----
std::string ChangeText(double ratio);                // "+3.1 %"
std::string IntervalText(const Estimate& estimate);  // "+1.2 .. +5.0 %"
std::string PValueText(double p);                    // "0.003", "<0.0001"

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_COMPARE_COMPARISON_TEXT_H_
