// SPDX-License-Identifier: Apache-2.0
//
// One line per result in the words of a table: what the text table and the Markdown summary both
// show.
#ifndef ATTEST_HARNESS_REPORT_ROWS_H_
#define ATTEST_HARNESS_REPORT_ROWS_H_

#include <optional>
#include <string>
#include <vector>

#include "harness/report/model.h"

namespace attest::report {

struct Row {
  const CellRecord* cell = nullptr;
  const Result* result = nullptr;
  std::string label, verdict;
  std::string median = "-";   // '~' after a noisy one; "-" as in the next four: there is no time
  std::string rate = "-";     // GFLOP/s; GB/s where the cell is memory-bound
  std::string ceiling = "-";  // per cent of the ceiling that limits the cell
  std::string speedup = "-";  // "1.85x"
  std::string scaling = "-";  // "1.87x 94%": against the fewest threads; '~' as above
  std::string error = "-";    // error / bound
  std::optional<double> speedup_value;
};

// In the order of the report. Speed-ups are paired, against `baseline`'s result on the same cell
// with as many threads.
std::vector<Row> MakeRows(const Report& report, const std::string& baseline);

// Whether backends were started with fewer threads, too.
bool HasScaling(const std::vector<Row>& rows);

// Results of one verdict and reason: "unsupported" is said once for all cells it is true of.
struct Reason {
  std::string verdict, label, text;
  std::string first_cell, reproduce;  // of the first of them
  size_t count = 0;
};
// Of everything but plain passes; failures first, in the order of the report.
std::vector<Reason> CollectReasons(const Report& report);

// What is said of who agrees with the reference; the same sentence once for all its cells.
struct Agreement {
  std::string text, first_cell;
  size_t count = 0;
};
std::vector<Agreement> CollectAgreements(const Report& report);

// "oneDNN 2.6.3"-like line of the machine: "slug | OS | kernel".
std::string MachineLine(const Report& report);
// "12 cells, 60 results: 55 verified, 0 failed, 5 unsupported; 201 s (verification 38 s)".
std::string CountsLine(const Summary& summary);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_ROWS_H_
