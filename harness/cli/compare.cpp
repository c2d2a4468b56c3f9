// SPDX-License-Identifier: Apache-2.0
//
// attest compare: the gate on speed. Two reports, or one with --baseline or --baseline-build.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

#include "harness/cli/command.h"
#include "harness/cli/exit_code.h"
#include "harness/cli/read_reports.h"
#include "harness/cli/summary_file.h"
#include "harness/report/compare/comparable.h"
#include "harness/report/compare/compare.h"
#include "harness/report/compare/comparison_text.h"
#include "harness/report/files.h"

namespace attest::cli {
namespace {

struct CompareArguments {
  std::vector<std::string> reports;
  std::string baseline, baseline_build, format = "text", out, summary;
  double threshold_percent = 3, cell_threshold_percent = 10;
  bool force = false, keep_drift = false;
  report::CompareOptions options;
};

constexpr const char* kFooter =
    R"(A verdict rests on the faster half of each result's rounds. What all other backends of a cell
changed by is drift of the machine, and is taken out. 'slower': no change is ruled out, and a
change by the threshold is not. A single result counts only with its whole interval beyond
--cell-threshold. 'undecided' says why.

Examples:
  attest compare old.json new.json
  attest compare old.json new.json --threshold 5 --summary auto
  attest compare new.json --baseline BACKEND:VARIANT --backend BACKEND
  attest run --backend-path base=OTHER/build/lib/attest --out both.json
  attest compare both.json --baseline-build base     # machines that others share
  attest compare old.json new.json --format json > comparison.json

Exit codes: 0 nothing is slower | 1 what was measured in OLD fails in NEW | 2 usage, or reports that
are not comparable | 4 something is slower | 5 no result is in both, or none
has rounds enough)";

void RequireComparable(const std::vector<report::Report>& reports,
                       const CompareArguments& arguments, report::Comparison& comparison) {
  const std::vector<std::string> differences = report::Differences(reports[0], reports[1]);
  if (!differences.empty() && !arguments.force) {
    std::string text = "the reports cannot be compared:";
    for (const std::string& difference : differences) text += "\n  " + difference;
    throw std::invalid_argument(text + "\n--force compares them all the same");
  }
  for (const std::string& difference : differences)
    comparison.notes.push_back("compared by --force: " + difference);
  for (const std::string& remark : report::Remarks(reports[0], reports[1]))
    comparison.notes.push_back(remark);
}

std::string SideText(const std::string& path, const report::Report& report) {
  return fmt::format("{} ({}, commit {})", path, report.date, report.build.commit.substr(0, 9));
}

report::Comparison Compare(const CompareArguments& arguments) {
  const std::vector<report::Report> reports = ReadReports(arguments.reports);
  if (!arguments.baseline.empty()) {
    report::Comparison comparison =
        report::CompareWithBaseline(reports[0], arguments.baseline, arguments.options);
    comparison.after = SideText(arguments.reports[0], reports[0]);
    return comparison;
  }
  if (!arguments.baseline_build.empty()) {
    report::Comparison comparison =
        report::CompareWithBuild(reports[0], arguments.baseline_build, arguments.options);
    comparison.after = SideText(arguments.reports[0], reports[0]);
    return comparison;
  }
  report::Comparison comparison = report::CompareReports(reports[0], reports[1], arguments.options);
  RequireComparable(reports, arguments, comparison);
  comparison.before = SideText(arguments.reports[0], reports[0]);
  comparison.after = SideText(arguments.reports[1], reports[1]);
  return comparison;
}

std::string Format(const CompareArguments& arguments, const report::Comparison& comparison) {
  if (arguments.format == "json") return report::ComparisonJson(comparison);
  if (arguments.format == "md")
    return report::ComparisonMarkdown(comparison, report::kCommentLimit);
  return report::ComparisonText(comparison);
}

void Write(const CompareArguments& arguments, const report::Comparison& comparison) {
  const std::string text = Format(arguments, comparison);
  if (arguments.out.empty()) {
    report::WriteAll(fileno(stdout), text, "stdout");
  } else {
    report::WriteAtomically(arguments.out, text);
  }
  if (arguments.summary.empty()) return;
  const size_t limit =
      arguments.summary == "auto" ? report::kStepSummaryLimit : report::kCommentLimit;
  const std::string missing = WriteSummaryFile(arguments.summary, [&](size_t used) {
    return report::ComparisonMarkdown(comparison, limit > used ? limit - used : 0);
  });
  if (!missing.empty()) fmt::print(stderr, "attest: {}\n", missing);
}

int Conclude(const report::Comparison& comparison) {
  if (report::HasFailure(comparison)) return kVerificationFailed;
  if (comparison.cells.empty()) {
    fmt::print(stderr, "attest: no result has a time in both, there is nothing to compare\n");
    return kNothingVerified;
  }
  if (comparison.labels.empty()) {
    fmt::print(stderr, "attest: no result has rounds enough in both, nothing could be judged\n");
    return kNothingVerified;
  }
  return report::HasRegression(comparison) ? kRegression : kAllVerified;
}

int RunCompare(CompareArguments arguments) {
  const size_t needed = arguments.baseline.empty() && arguments.baseline_build.empty() ? 2 : 1;
  if (arguments.reports.size() != needed)
    throw std::invalid_argument(
        needed == 2 ? "compare needs two reports: OLD NEW; or one with --baseline BACKEND or "
                      "--baseline-build LABEL"
                    : "compare --baseline needs one report, in which rounds are paired");
  for (const std::string& path : {arguments.out, arguments.summary})
    if (!path.empty() && path != "auto") CheckOutput(path);
  arguments.options.threshold = arguments.threshold_percent / 100;
  arguments.options.cell_threshold = arguments.cell_threshold_percent / 100;
  arguments.options.remove_drift = !arguments.keep_drift;
  const report::Comparison comparison = Compare(arguments);
  Write(arguments, comparison);
  return Conclude(comparison);
}

void AddOptions(CLI::App& parser, CompareArguments& a) {
  const CLI::Range percent(0.01, 1000.0);
  parser.add_option("REPORT", a.reports,
                    "OLD NEW, or one report with --baseline or --baseline-build");
  parser.add_option("--baseline", a.baseline,
                    "compare the backends of one report with this BACKEND[:VARIANT], by rounds");
  parser
      .add_option("--baseline-build", a.baseline_build,
                  "compare the backends of one report with their builds BACKEND-LABEL (run "
                  "--backend-path LABEL=DIR), by rounds")
      ->excludes("--baseline");
  parser
      .add_option("--backend", a.options.patterns,
                  "judge only these, repeatable: BACKEND[:VARIANT]")
      ->expected(1)
      ->take_all();
  parser
      .add_option("--threshold", a.threshold_percent, "per cent, of a backend over all its cells")
      ->check(percent)
      ->capture_default_str();
  parser.add_option("--cell-threshold", a.cell_threshold_percent, "per cent, of a single result")
      ->check(percent)
      ->capture_default_str();
  parser.add_flag("--keep-drift", a.keep_drift, "judge the times as they are: a dedicated machine");
  parser.add_flag("--force", a.force,
                  "compare in spite of another machine, policy, type or library");
  parser.add_option("--format", a.format, "text, md or json")
      ->check(CLI::IsMember({"text", "md", "json"}))
      ->capture_default_str();
  parser.add_option("--out", a.out, "file instead of stdout");
  parser.add_option("--summary", a.summary,
                    "file of a Markdown summary as well; 'auto' is GITHUB_STEP_SUMMARY");
  parser.add_option("--seed", a.options.seed, "of the bootstrap")->capture_default_str();
}

}  // namespace

Command AddCompare(CLI::App& app) {
  CLI::App* parser =
      app.add_subcommand("compare", "has a backend become slower? two reports, or one");
  const auto arguments = std::make_shared<CompareArguments>();
  AddOptions(*parser, *arguments);
  parser->footer(kFooter);
  return {parser, [arguments] { return RunCompare(*arguments); }};
}

}  // namespace attest::cli
