// SPDX-License-Identifier: Apache-2.0
#include "harness/report/compare/comparison_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "harness/report/format.h"

namespace attest::report {
namespace {

// Undecided and unchanged cells beyond these are only in the other formats.
constexpr size_t kTextCells = 20;
constexpr size_t kCellWidth = 60;

std::vector<std::string> SlowerLabels(const Comparison& comparison) {
  std::vector<std::string> labels;
  for (const LabelChange& label : comparison.labels)
    if (label.estimate.change == Change::kSlower) labels.push_back(OneLine(label.label));
  return labels;
}

std::string UndecidedText(const Comparison& comparison) {
  const auto count = std::count_if(
      comparison.labels.begin(), comparison.labels.end(),
      [](const LabelChange& label) { return label.estimate.change == Change::kUndecided; });
  return count > 0 ? fmt::format("; {} backends undecided", count) : "";
}

std::string Verdict(const Estimate& estimate) {
  const std::string word(ChangeName(estimate.change));
  return estimate.reason.empty() ? word : word + ": " + estimate.reason;
}

std::string LabelTable(const Comparison& comparison) {
  std::vector<std::vector<std::string>> rows;
  for (const LabelChange& label : comparison.labels)
    rows.push_back({OneLine(label.label), std::to_string(label.cells),
                    ChangeText(label.estimate.ratio), IntervalText(label.estimate),
                    ChangeText(label.estimate.raw_ratio), Verdict(label.estimate)});
  return LayOut({{"backend"},
                 {"cells", Align::kRight},
                 {"time", Align::kRight},
                 {"interval", Align::kRight},
                 {"with drift", Align::kRight},
                 {"verdict"}},
                rows);
}

std::string CellTable(const Comparison& comparison) {
  std::vector<std::vector<std::string>> rows;
  for (const CellChange& cell : comparison.cells) {
    if (rows.size() >= kTextCells && cell.estimate.change != Change::kSlower) break;
    rows.push_back({OneLine(cell.label), Shorten(OneLine(cell.cell), kCellWidth),
                    FormatSeconds(cell.before_seconds), FormatSeconds(cell.after_seconds),
                    ChangeText(cell.estimate.ratio), IntervalText(cell.estimate),
                    PValueText(cell.mann_whitney_p), Verdict(cell.estimate)});
  }
  return LayOut({{"backend"},
                 {"cell"},
                 {"before", Align::kRight},
                 {"after", Align::kRight},
                 {"time", Align::kRight},
                 {"interval", Align::kRight},
                 {"p", Align::kRight},
                 {"verdict"}},
                rows);
}

}  // namespace

std::string ChangeText(double ratio) {
  const double percent = 100 * (ratio - 1);
  if (!std::isfinite(percent)) return "?";
  return std::fabs(percent) >= 1000 ? fmt::format("x{}", FormatNumber(ratio))
                                    : fmt::format("{:+.1f} %", percent);
}

std::string IntervalText(const Estimate& estimate) {
  const bool known = estimate.low > 0 && std::isfinite(estimate.high);
  if (!known) return "-";
  return fmt::format("{} .. {}", ChangeText(estimate.low), ChangeText(estimate.high));
}

std::string PValueText(double p) { return p < 0.0001 ? "<0.0001" : fmt::format("{:.2g}", p); }

std::string Headline(const Comparison& comparison) {
  const auto slower = static_cast<size_t>(std::count_if(
      comparison.cells.begin(), comparison.cells.end(),
      [](const CellChange& cell) { return cell.estimate.change == Change::kSlower; }));
  const std::vector<std::string> labels = SlowerLabels(comparison);
  if (labels.empty() && slower == 0)
    return fmt::format("nothing is slower in {} backends, {} results{}", comparison.labels.size(),
                       comparison.cells.size(), UndecidedText(comparison));
  std::string text = labels.empty() ? "slower" : fmt::format("slower: {}", fmt::join(labels, ", "));
  if (slower > 0)
    text += fmt::format("{} {} single result{} beyond {:.3g} %", labels.empty() ? ":" : ";", slower,
                        slower == 1 ? "" : "s", 100 * comparison.options.cell_threshold);
  return text;
}

std::vector<std::string> NoteLines(const Comparison& comparison) {
  std::vector<std::string> lines;
  for (const Drift& drift : comparison.drifts)
    lines.push_back(fmt::format(
        "drift common to all backends on {} devices: {}; it is taken out of the times below",
        OneLine(drift.devices), ChangeText(drift.ratio)));
  if (comparison.drifts.empty() && !comparison.paired)
    lines.push_back(comparison.options.remove_drift
                        ? "drift of the machine is not taken out: that needs three backends"
                        : "drift of the machine is not taken out");
  for (const LostResult& lost : comparison.lost)
    lines.push_back(fmt::format("no time any more: {} on {}: {}{}{}", OneLine(lost.label),
                                OneLine(lost.cell), lost.verdict, lost.reason.empty() ? "" : ": ",
                                OneLine(lost.reason)));
  for (const std::string& note : comparison.notes) lines.push_back(OneLine(note));
  return lines;
}

std::string ComparisonText(const Comparison& comparison) {
  std::string text =
      fmt::format("{}\n{}, then {}\n\n{}\n", Headline(comparison), OneLine(comparison.before),
                  OneLine(comparison.after), LabelTable(comparison));
  text += CellTable(comparison);
  if (comparison.cells.size() > kTextCells)
    text +=
        fmt::format("the worst of {} results; --format json has all\n", comparison.cells.size());
  for (const std::string& line : NoteLines(comparison)) text += line + "\n";
  return text;
}

}  // namespace attest::report
