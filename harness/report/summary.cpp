// SPDX-License-Identifier: Apache-2.0
//
// The Markdown summary; GitHub's and GitLab's dialects. Text of backends is escaped: it may hold
// anything.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "harness/report/format.h"
#include "harness/report/markdown.h"
#include "harness/report/rows.h"
#include "harness/report/statistics.h"
#include "harness/report/table.h"

namespace attest::report {
namespace {

struct LabelSummary {
  std::string label;
  size_t results = 0, verified = 0, failed = 0;
  std::optional<double> worst_error;  // absent where nothing was compared
  std::vector<double> speedups, scalings;
};

LabelSummary& Find(std::vector<LabelSummary>& all, const std::string& label) {
  for (LabelSummary& summary : all)
    if (summary.label == label) return summary;
  all.push_back({label, 0, 0, 0, {}, {}, {}});
  return all.back();
}

void Count(const Row& row, LabelSummary& summary) {
  ++summary.results;
  summary.verified += IsVerified(row.result->verdict) ? 1 : 0;
  summary.failed += IsFailure(row.result->verdict) ? 1 : 0;
  if (row.speedup_value) summary.speedups.push_back(*row.speedup_value);
  if (row.result->scaling) summary.scalings.push_back(row.result->scaling->ratio);
  if (!row.result->verification) return;
  const double error = row.result->verification->error_over_bound;
  // Written so that a NaN becomes the worst and stays it.
  const std::optional<double>& worst = summary.worst_error;
  const bool stays = worst && (std::isnan(*worst) || error <= *worst);
  if (!stays) summary.worst_error = error;
}

std::string MeanText(const std::vector<double>& ratios) {
  const std::optional<double> mean = GeometricMean(ratios);
  return mean ? FormatNumber(*mean) + "x" : "-";
}

std::string LabelTable(const std::vector<Row>& rows, const std::string& baseline) {
  std::vector<LabelSummary> summaries;
  for (const Row& row : rows) Count(row, Find(summaries, row.label));
  const bool scaling = HasScaling(rows);
  std::string text = fmt::format(
      "| backend | results | verified | failed | speed-up{} (geometric mean) |{} worst error/bound "
      "|\n"
      "|---|--:|--:|--:|--:|{}--:|\n",
      baseline.empty() ? "" : " against " + EscapeMarkdown(baseline),
      scaling ? " against fewest threads |" : "", scaling ? "--:|" : "");
  for (const LabelSummary& summary : summaries) {
    text +=
        fmt::format("| {} | {} | {} | {} | {} |{} {} |\n", EscapeMarkdown(summary.label),
                    summary.results, summary.verified, summary.failed, MeanText(summary.speedups),
                    scaling ? fmt::format(" {} |", MeanText(summary.scalings)) : "",
                    summary.worst_error ? FormatNumber(*summary.worst_error) : "-");
  }
  return text;
}

std::string ReasonList(const Report& report) {
  std::string text;
  for (const Reason& reason : CollectReasons(report)) {
    text += fmt::format("- **{}** {} on {}{}: {}\n", reason.verdict, EscapeMarkdown(reason.label),
                        MarkdownCode(reason.first_cell),
                        reason.count > 1 ? fmt::format(" and {} more", reason.count - 1) : "",
                        EscapeMarkdown(reason.text));
    if (!reason.reproduce.empty()) text += fmt::format("  - {}\n", MarkdownCode(reason.reproduce));
  }
  for (const Agreement& said : CollectAgreements(report))
    text += fmt::format("- {}{}: {}\n", MarkdownCode(said.first_cell),
                        said.count > 1 ? fmt::format(" and {} more", said.count - 1) : "",
                        EscapeMarkdown(said.text));
  for (const Backend& backend : report.backends)
    if (backend.state != BackendState::kLoaded)
      text += fmt::format("- {} {}: {}\n", BackendStateName(backend.state),
                          EscapeMarkdown(backend.name), EscapeMarkdown(backend.reason));
  return text.empty() ? "" : "\n" + text;
}

std::string RowTable(const std::vector<Row>& rows) {
  std::string text =
      "\n<details><summary>All results</summary>\n\n"
      "| backend | cell | verdict | median | rate | of ceiling | speed-up | error/bound |\n"
      "|---|---|---|--:|--:|--:|--:|--:|\n";
  for (size_t i = 0; i < std::min(rows.size(), kMarkdownRows); ++i) {
    const Row& row = rows[i];
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} |\n", EscapeMarkdown(row.label),
                        MarkdownCode(row.cell->id), row.verdict, EscapeMarkdown(row.median),
                        row.rate, row.ceiling, row.speedup, row.error);
  }
  if (rows.size() > kMarkdownRows)
    text += fmt::format("\n{} more results are in the report.\n", rows.size() - kMarkdownRows);
  return text + "\n</details>\n";
}

}  // namespace

std::string MarkdownSummary(const Report& report, const std::string& baseline) {
  const std::vector<Row> rows = MakeRows(report, baseline);
  return fmt::format("### Attest: {}\n\n{}\n\n{}", CountsLine(report.summary),
                     EscapeMarkdown(MachineLine(report)), LabelTable(rows, baseline)) +
         ReasonList(report) + RowTable(rows);
}

}  // namespace attest::report
