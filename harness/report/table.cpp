// SPDX-License-Identifier: Apache-2.0
//
// The text table.
#include "harness/report/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/report/format.h"
#include "harness/report/rows.h"
#include "harness/report/statistics.h"

namespace attest::report {
namespace {

constexpr size_t kLeastWidth = 100, kLeastCellWidth = 16;
constexpr size_t kCellColumn = 1;

std::vector<Column> Columns(bool with_scaling) {
  std::vector<Column> columns = {{"backend"},
                                 {"cell"},
                                 {"verdict"},
                                 {"median", Align::kRight},
                                 {"rate", Align::kRight},
                                 {"% ceiling", Align::kRight},
                                 {"speed-up", Align::kRight}};
  if (with_scaling) columns.push_back({"scaling", Align::kRight});
  columns.push_back({"err/bound", Align::kRight});
  return columns;
}

std::vector<std::string> Texts(const Row& row, bool with_scaling) {
  std::vector<std::string> texts = {row.label, row.cell->id, row.verdict, row.median,
                                    row.rate,  row.ceiling,  row.speedup};
  if (with_scaling) texts.push_back(row.scaling);
  texts.push_back(row.error);
  return texts;
}

size_t WidthBesideCells(const std::vector<Column>& columns,
                        const std::vector<std::vector<std::string>>& rows) {
  size_t total = 2 * (columns.size() - 1);
  for (size_t i = 0; i < columns.size(); ++i) {
    if (i == kCellColumn) continue;
    size_t width = columns[i].title.size();
    for (const auto& row : rows) width = std::max(width, row[i].size());
    total += width;
  }
  return total;
}

void FitCells(const std::vector<Column>& columns, size_t width,
              std::vector<std::vector<std::string>>& rows) {
  const size_t beside = WidthBesideCells(columns, rows);
  const size_t most = std::max(kLeastCellWidth, width > beside ? width - beside : 0);
  for (auto& row : rows) row[kCellColumn] = Shorten(row[kCellColumn], most);
}

std::string Escape(const std::string& verdict) {
  const Verdict value = VerdictFromName(verdict);
  if (value == Verdict::kPass) return "\x1b[32m";
  return IsFailure(value) ? "\x1b[31m" : "\x1b[33m";
}

// After the layout, because escape codes have no width: rows begin after the title and the rule.
std::string Colored(const std::string& table, const std::vector<Row>& rows) {
  std::string colored;
  size_t line_start = 0;
  for (size_t line = 0; line_start < table.size(); ++line) {
    const size_t end = table.find('\n', line_start) + 1;
    std::string text = table.substr(line_start, end - line_start);
    if (line >= 2) {
      const std::string& verdict = rows[line - 2].verdict;
      const size_t at = text.find("  " + verdict + " ");
      if (at != std::string::npos) {
        text.insert(at + 2 + verdict.size(), "\x1b[0m");
        text.insert(at + 2, Escape(verdict));
      }
    }
    colored += text;
    line_start = end;
  }
  return colored;
}

std::string ReasonLines(const Report& report) {
  std::string text;
  for (const Reason& reason : CollectReasons(report)) {
    text += fmt::format("{} {} {}{}: {}\n", reason.verdict, reason.label, reason.first_cell,
                        reason.count > 1 ? fmt::format(" and {} more", reason.count - 1) : "",
                        reason.text.empty() ? "no reason given" : reason.text);
    if (!reason.reproduce.empty()) text += fmt::format("    {}\n", reason.reproduce);
  }
  return text;
}

std::string AgreementLines(const Report& report) {
  std::string text;
  for (const Agreement& said : CollectAgreements(report))
    text +=
        fmt::format("{}{}: {}\n", said.first_cell,
                    said.count > 1 ? fmt::format(" and {} more", said.count - 1) : "", said.text);
  return text;
}

// Empty where no rules were asked for. "-": no output to judge.
std::string RuleTable(const Report& report, const std::vector<Row>& rows) {
  std::vector<Column> columns = {{"backend"}, {"cell"}, {"verdict"}};
  for (const Row& row : rows)
    if (row.result->verification && columns.size() == 3)
      for (const auto& [name, accepts] : row.result->verification->rules) columns.push_back({name});
  if (!report.policy.compare_rules || columns.size() == 3) return "";
  std::vector<std::vector<std::string>> texts;
  for (const Row& row : rows) {
    auto& text = texts.emplace_back(std::vector<std::string>{row.label, row.cell->id, row.verdict});
    if (row.result->verification)
      for (const auto& [name, accepts] : row.result->verification->rules)
        text.emplace_back(accepts ? "accepts" : "rejects");
    text.resize(columns.size(), "-");
  }
  return "what other projects' rules say of the same outputs:\n" + LayOut(columns, texts) + "\n";
}

std::string BackendLines(const Report& report) {
  std::string text;
  for (const Backend& backend : report.backends)
    if (backend.state != BackendState::kLoaded)
      text += fmt::format("{} {}: {}\n", BackendStateName(backend.state), backend.name,
                          OneLine(backend.reason));
  return text;
}

}  // namespace

std::string TextTable(const Report& report, const TableOptions& options) {
  const std::vector<Row> rows = MakeRows(report, options.baseline);
  const bool with_scaling = HasScaling(rows);
  const std::vector<Column> columns = Columns(with_scaling);
  std::vector<std::vector<std::string>> texts;
  for (const Row& row : rows) texts.push_back(Texts(row, with_scaling));
  FitCells(columns, std::max(options.width, kLeastWidth), texts);
  const std::string table = LayOut(columns, texts);
  const bool noisy = std::any_of(rows.begin(), rows.end(),
                                 [](const Row& row) { return row.median.ends_with("~"); });
  std::string notes = noisy ? "~ noisy: the report has the reason\n" : "";
  if (!options.baseline.empty())
    notes += fmt::format("speed-up: against {}, paired within rounds\n", options.baseline);
  if (with_scaling)
    notes += fmt::format(
        "scaling: times as fast as with the fewest threads, paired, and % of what they could "
        "bring; "
        "~ its interval is wider than {:.0f} %\n",
        100 * kNoisySpread);
  notes += ReasonLines(report) + AgreementLines(report) + BackendLines(report);
  return fmt::format("{}\n{}{}\n{}\n{}\n", options.color ? Colored(table, rows) : table,
                     RuleTable(report, rows), notes, MachineLine(report),
                     CountsLine(report.summary));
}

}  // namespace attest::report
