// SPDX-License-Identifier: Apache-2.0
//
// The comparison as a comment on a pull request: GitHub's and GitLab's dialects.
#include <fmt/format.h>

#include <algorithm>

#include "harness/report/compare/comparison_text.h"
#include "harness/report/format.h"
#include "harness/report/markdown.h"

namespace attest::report {
namespace {

// Kept free for the lines that end what was cut, numbers included.
constexpr size_t kReserve = 200;
constexpr size_t kNameWidth = 300;  // of a cell's name; a hostile report has longer ones

std::string Verdict(const Estimate& estimate) {
  const std::string word(ChangeName(estimate.change));
  const bool bold = estimate.change == Change::kSlower || estimate.change == Change::kFaster;
  const std::string shown = bold ? "**" + word + "**" : word;
  return estimate.reason.empty() ? shown : shown + ": " + EscapeMarkdown(estimate.reason);
}

std::string LabelRow(const LabelChange& label) {
  return fmt::format("| {} | {} | {} | {} | {} | {} |\n",
                     EscapeMarkdown(Shorten(label.label, kNameWidth)), label.cells,
                     ChangeText(label.estimate.ratio), IntervalText(label.estimate),
                     ChangeText(label.estimate.raw_ratio), Verdict(label.estimate));
}

std::string CellRow(const CellChange& cell) {
  return fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} |\n",
                     EscapeMarkdown(Shorten(cell.label, kNameWidth)),
                     MarkdownCode(Shorten(cell.cell, kNameWidth)),
                     FormatSeconds(cell.before_seconds), FormatSeconds(cell.after_seconds),
                     ChangeText(cell.estimate.ratio), IntervalText(cell.estimate),
                     EscapeMarkdown(PValueText(cell.mann_whitney_p)), Verdict(cell.estimate));
}

// Appends pieces while they fit; counts those that do not.
class Page {
 public:
  explicit Page(size_t limit) : room_(limit > kReserve ? limit - kReserve : 0) {}
  bool Add(const std::string& piece) {
    const bool fits = text_.size() + piece.size() <= room_;
    if (fits) text_ += piece;
    return fits;
  }
  void Close(const std::string& piece) { text_ += piece; }
  std::string Take() { return std::move(text_); }

 private:
  size_t room_;
  std::string text_;
};

// Rows that fit, from the first on; how many were left out.
template <class Item>
size_t AddRows(const std::vector<Item>& items, std::string (*row)(const Item&), Page& page) {
  for (size_t i = 0; i < items.size(); ++i)
    if (!page.Add(row(items[i]))) return items.size() - i;
  return 0;
}

std::vector<LabelChange> WorstFirst(std::vector<LabelChange> labels) {
  std::stable_sort(labels.begin(), labels.end(), [](const LabelChange& a, const LabelChange& b) {
    const bool a_slower = a.estimate.change == Change::kSlower;
    const bool b_slower = b.estimate.change == Change::kSlower;
    return a_slower != b_slower ? a_slower : a.estimate.ratio > b.estimate.ratio;
  });
  return labels;
}

}  // namespace

std::string ComparisonMarkdown(const Comparison& comparison, size_t limit) {
  Page page(limit);
  page.Add(fmt::format("### Attest: {}\n\n", EscapeMarkdown(Shorten(Headline(comparison), 2000))));
  page.Add(fmt::format("{}, then {}\n\n", EscapeMarkdown(Shorten(comparison.before, kNameWidth)),
                       EscapeMarkdown(Shorten(comparison.after, kNameWidth))));
  page.Add(
      "| backend | cells | time | interval | with drift | verdict |\n"
      "|---|--:|--:|--:|--:|---|\n");
  size_t cut = AddRows(WorstFirst(comparison.labels), LabelRow, page);
  page.Add("\n");
  for (const std::string& line : NoteLines(comparison))
    cut += page.Add(fmt::format("- {}\n", EscapeMarkdown(Shorten(line, 1000)))) ? 0 : 1;
  const bool table = page.Add(
      "\n<details><summary>Single results, the worst first</summary>\n\n"
      "| backend | cell | before | after | time | interval | p | verdict |\n"
      "|---|---|--:|--:|--:|--:|--:|---|\n");
  cut += table ? AddRows(comparison.cells, CellRow, page) : comparison.cells.size();
  if (table) page.Close("\n</details>\n");
  if (cut > 0)
    page.Close(fmt::format("\n{} lines, the least bad, are left out: the limit is {} bytes.\n", cut,
                           limit));
  return page.Take();
}

}  // namespace attest::report
