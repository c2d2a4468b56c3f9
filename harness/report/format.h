// SPDX-License-Identifier: Apache-2.0
//
// Numbers as people read them, three significant digits with a unit; and plain text laid out in
// columns.
#ifndef ATTEST_HARNESS_REPORT_FORMAT_H_
#define ATTEST_HARNESS_REPORT_FORMAT_H_

#include <string>
#include <string_view>
#include <vector>

namespace attest::report {

std::string FormatSeconds(double seconds);   // "12.3 us"
std::string FormatPercent(double fraction);  // "43.1 %"
// Three significant digits without an exponent where that is short, else "1.2e-05"; "inf", "nan".
std::string FormatNumber(double value);
// Line breaks, tabs and other control bytes become spaces; runs of spaces one.
std::string OneLine(std::string_view text);
// At most `width` bytes, the middle replaced by "...".
std::string Shorten(const std::string& text, size_t width);

enum class Align { kLeft, kRight };
struct Column {
  std::string title;
  Align align = Align::kLeft;
};
// Title line, rule, rows; every column as wide as its widest text, two spaces between.
std::string LayOut(const std::vector<Column>& columns,
                   const std::vector<std::vector<std::string>>& rows);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_FORMAT_H_
