// SPDX-License-Identifier: Apache-2.0
//
// The end of a run for people: an aligned text table for the terminal and a Markdown summary for CI
// pages.
#ifndef ATTEST_HARNESS_REPORT_TABLE_H_
#define ATTEST_HARNESS_REPORT_TABLE_H_

#include <string>

#include "harness/report/model.h"

namespace attest::report {

struct TableOptions {
  std::string baseline;  // label that speed-ups are against; empty = no such column's values
  size_t width = 140;    // columns at most, cell names being shortened in the middle to fit; >= 100
  bool color = false;    // verdicts in ANSI colours
};

// One row per result, then the reasons of all that is no plain pass, backends not loaded, and the
// counts.
std::string TextTable(const Report& report, const TableOptions& options);

// Per backend: verdicts, geometric mean speed-up, worst error/bound; failures with how to reproduce
// them; the rows, at most kMarkdownRows of them, folded. Ends in a newline.
inline constexpr size_t kMarkdownRows = 500;
std::string MarkdownSummary(const Report& report, const std::string& baseline);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_TABLE_H_
