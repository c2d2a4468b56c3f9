// SPDX-License-Identifier: Apache-2.0
#include "harness/report/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "harness/report/format.h"
#include "harness/report/rows.h"
#include "tests/report/fixture.h"

namespace attest::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Format, ThreeDigitsAndAUnit) {
  EXPECT_EQ(FormatSeconds(1.234e-9), "1.23 ns");
  EXPECT_EQ(FormatSeconds(45.67e-6), "45.7 us");
  EXPECT_EQ(FormatSeconds(0.9999), "1.00 s");
  EXPECT_EQ(FormatSeconds(0.1234), "123 ms");
  EXPECT_EQ(FormatSeconds(4000), "4000 s");
  EXPECT_EQ(FormatPercent(0.4312), "43.1 %");
  EXPECT_EQ(FormatNumber(0.1254), "0.125");
  EXPECT_EQ(FormatNumber(1.2e-5), "1.2e-05");
  EXPECT_EQ(FormatNumber(0), "0");
  EXPECT_EQ(FormatNumber(std::nan("")), "nan");
  EXPECT_EQ(FormatNumber(INFINITY), "inf");
}

TEST(Format, TextStaysOnItsLine) {
  EXPECT_EQ(OneLine("a\n\tb \x1b[31m c\n"), "a b [31m c");
  EXPECT_EQ(Shorten("abcdefghij", 7), "ab...ij");
  EXPECT_EQ(Shorten("abc", 7), "abc");
}

TEST(MakeRows, SpeedUpsAndCeilings) {
  const Report report = MakeReport();
  const std::vector<Row> rows = MakeRows(report, "eigen:unfused");
  ASSERT_EQ(rows.size(), 8u);
  EXPECT_NEAR(rows[0].speedup_value.value(), 2, 0.02);
  EXPECT_EQ(rows[1].speedup, "1.00x");
  EXPECT_EQ(rows[0].scaling, "1.75x 88%~") << "its interval is wide";
  EXPECT_EQ(rows[1].scaling, "-");
  EXPECT_THAT(rows[0].rate, HasSubstr("GFLOP/s"));
  EXPECT_THAT(rows[4].rate, HasSubstr("GB/s"));
  EXPECT_EQ(rows[2].verdict, "fail");
  EXPECT_EQ(rows[2].median, "-") << "no time of what is not verified";
  EXPECT_EQ(rows[2].error, "inf");
  EXPECT_EQ(rows[3].label, "opencl:naive@1");
  EXPECT_EQ(MakeRows(report, "no:such")[0].speedup, "-");
}

TEST(CollectReasons, FailuresFirstAndEachOnce) {
  const std::vector<Reason> reasons = CollectReasons(MakeReport());
  ASSERT_EQ(reasons.size(), 3u);
  EXPECT_EQ(reasons[0].verdict, "fail");
  EXPECT_EQ(reasons[0].count, 2u);
  EXPECT_EQ(reasons[1].verdict, "unsupported");
  EXPECT_EQ(reasons[2].verdict, "suspicious");
}

TEST(TextTable, FitsItsWidth) {
  Report report = MakeReport();
  report.cells[0].id += std::string(200, 'x');
  const auto fits = [&](size_t width) {
    const std::vector<std::string> lines = LinesOf(TextTable(report, {"eigen:unfused", width}));
    for (size_t i = 0; i < 10; ++i) EXPECT_LE(lines[i].size(), width) << lines[i];
  };
  for (size_t width : {115, 140, 160}) fits(width);
  for (CellRecord& cell : report.cells)
    for (Result& result : cell.results) result.scaling.reset();
  fits(100);
}

TEST(TextTable, IsAligned) {
  const std::vector<std::string> lines = LinesOf(TextTable(MakeReport(), {"eigen:unfused"}));
  const size_t verdict = lines[0].find("verdict");
  EXPECT_EQ(lines[2].substr(verdict, 4), "pass");
  EXPECT_EQ(lines[5].substr(verdict, 11), "unsupported");
  EXPECT_EQ(lines[2].size(), lines[0].size());
}

TEST(TextTable, SaysWhyAndWhatIsMissing) {
  const std::string text = TextTable(MakeReport(), {"eigen:unfused"});
  EXPECT_THAT(text, HasSubstr("attest verify --backend naive --seq 3\n"));
  EXPECT_THAT(text, HasSubstr("unavailable cuda: no CUDA driver\n"));
  EXPECT_THAT(text, HasSubstr("2 cells, 8 results: 4 verified, 2 failed, 2 unsupported; 12.5 s"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(TextTable, SaysWhoDeviatesOnceForAllCells) {
  Report report = MakeReport();
  EXPECT_THAT(TextTable(report, {}),
              HasSubstr("sdpa/f32/b1/h12/kv12/q512/k512/d64 and 1 more: 2 agree with the "
                        "reference, 1 deviates: naive from row 64 on\n"));
  EXPECT_THAT(MarkdownSummary(report, ""), HasSubstr("` and 1 more: 2 agree with the reference"));
  for (CellRecord& cell : report.cells) cell.agreement.clear();
  EXPECT_THAT(TextTable(report, {}), Not(HasSubstr("agree")));
}

TEST(TextTable, ColorChangesNoText) {
  std::string colored = TextTable(MakeReport(), {"eigen:unfused", 140, true});
  EXPECT_THAT(colored, HasSubstr("\x1b[31mfail\x1b[0m"));
  for (const char* code : {"\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"})
    for (size_t at; (at = colored.find(code)) != std::string::npos;)
      colored.erase(at, std::string(code).size());
  EXPECT_EQ(colored, TextTable(MakeReport(), {"eigen:unfused", 140, false}));
}

TEST(TextTable, RulesOnlyWhereAsked) {
  Report report = MakeReport();
  const std::string text = TextTable(report, {"eigen:unfused"});
  EXPECT_THAT(text, HasSubstr("nmse_5e-4  torch_default"));
  EXPECT_THAT(text, HasSubstr("accepts    rejects"));
  EXPECT_THAT(text, HasSubstr("-          -"));
  report.policy.compare_rules = false;
  EXPECT_THAT(TextTable(report, {"eigen:unfused"}), Not(HasSubstr("torch_default")));
}

TEST(TextTable, ScalingOnlyWhereThreadsWereCompared) {
  Report report = MakeReport();
  EXPECT_THAT(TextTable(report, {}), HasSubstr("scaling: times as fast as with the fewest"));
  report.cells[0].results[0].scaling->low = 1.6;
  EXPECT_THAT(TextTable(report, {}), HasSubstr("1.75x 88%~"));
  report.cells[0].results[0].scaling->high = 1.76;
  EXPECT_THAT(TextTable(report, {}), Not(HasSubstr("88%~")));
  report.cells[0].results[0].scaling.reset();
  EXPECT_THAT(TextTable(report, {}), Not(HasSubstr("scaling")));
  EXPECT_THAT(MarkdownSummary(report, "eigen:unfused"),
              HasSubstr("| eigen:flash | 2 | 2 | 0 | 2.00x | 0.125 |"));
}

TEST(TextTable, OfNothing) {
  EXPECT_THAT(TextTable(Report(), {}), HasSubstr("0 cells, 0 results"));
}

TEST(MarkdownSummary, HasATableOfEveryBackend) {
  const std::string text = MarkdownSummary(MakeReport(), "eigen:unfused");
  EXPECT_THAT(text, HasSubstr("| eigen:flash | 2 | 2 | 0 | 2.00x | 1.75x | 0.125 |"));
  EXPECT_THAT(text, HasSubstr("| naive | 2 | 0 | 2 | - | - | inf |"));
  EXPECT_THAT(text, HasSubstr("| opencl:naive@1 | 2 | 0 | 0 | - | - | - |"))
      << "nothing was compared";
  EXPECT_EQ(text.back(), '\n');
}

TEST(MarkdownSummary, EscapesForeignText) {
  Report report = MakeReport();
  report.cells[0].results[2].reason = "<img src=x> | `a` *b*\n# c";
  const std::string text = MarkdownSummary(report, "");
  EXPECT_THAT(text, HasSubstr("&lt;img src=x> \\| \\`a\\` \\*b\\* \\# c"));
  EXPECT_THAT(text, Not(HasSubstr("<img")));
}

TEST(MarkdownSummary, StaysShort) {
  Report report = MakeReport();
  for (int i = 0; i < 300; ++i) report.cells.push_back(report.cells[0]);
  EXPECT_THAT(MarkdownSummary(report, ""), HasSubstr("708 more results are in the report"));
}

TEST(MarkdownSummary, NanIsTheWorst) {
  Report report = MakeReport();
  report.cells[0].results[0].verification->error_over_bound = std::nan("");
  EXPECT_THAT(MarkdownSummary(report, ""),
              HasSubstr("| eigen:flash | 2 | 2 | 0 | - | 1.75x | nan |"));
}

}  // namespace
}  // namespace attest::report
