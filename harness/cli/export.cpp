// SPDX-License-Identifier: Apache-2.0
//
// attest export: a report in another tool's format.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

#include "harness/cli/command.h"
#include "harness/cli/exit_code.h"
#include "harness/cli/read_reports.h"
#include "harness/report/export/export.h"
#include "harness/report/files.h"

namespace attest::cli {
namespace {

struct ExportArguments {
  std::string report, format, out;
};

int RunExport(const ExportArguments& arguments) {
  if (arguments.report.empty()) throw std::invalid_argument("export needs a REPORT");
  if (arguments.format.empty()) throw std::invalid_argument("export needs --to FORMAT");
  const report::ExportFormat& format = report::FindExportFormat(arguments.format);
  const bool to_file = !arguments.out.empty() && arguments.out != "-";
  if (to_file) CheckOutput(arguments.out);
  const report::Report report = ReadReport(arguments.report);
  const bool empty =
      format.only_times ? report::CountTimes(report) == 0 : report.summary.results == 0;
  if (empty) {
    fmt::print(stderr, "attest: {} has no {}: nothing is exported\n", arguments.report,
               format.only_times ? "verified time" : "result");
    return kNothingVerified;
  }
  const std::string text = format.write(report);
  if (to_file)
    report::WriteAtomically(arguments.out, text);
  else
    report::WriteAll(fileno(stdout), text, "stdout");
  return kAllVerified;
}

std::string FormatList() {
  std::string text = "Formats:\n";
  for (const report::ExportFormat& format : report::ExportFormats())
    text += fmt::format("  {:8}{}{}\n", format.name, format.description,
                        format.only_times ? "; verified times alone" : "");
  return text;
}

}  // namespace

Command AddExport(CLI::App& app) {
  CLI::App* parser = app.add_subcommand("export", "a report in the format of another tool");
  const auto arguments = std::make_shared<ExportArguments>();
  parser->add_option("REPORT", arguments->report, "the report to read");
  std::string names;
  for (const report::ExportFormat& format : report::ExportFormats())
    names += (names.empty() ? "" : ", ") + format.name;
  parser->add_option("--to", arguments->format, "one of " + names);
  parser->add_option("-o,--out", arguments->out, "file instead of stdout");
  parser->footer(FormatList() +
                 "\nExamples:\n"
                 "  attest export report.json --to junit -o junit.xml\n"
                 "  attest export report.json --to csv | head\n\n"
                 "Exit codes: 0 written | 2 usage, or no report | 5 nothing to export");
  return {parser, [arguments] { return RunExport(*arguments); }};
}

}  // namespace attest::cli
