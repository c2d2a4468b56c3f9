// SPDX-License-Identifier: Apache-2.0
//
// attest merge: shards, backends and machines into one report.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

#include "harness/cli/command.h"
#include "harness/cli/exit_code.h"
#include "harness/cli/read_reports.h"
#include "harness/report/files.h"
#include "harness/report/json.h"
#include "harness/report/merge.h"
#include "harness/report/redact.h"
#include "harness/report/rows.h"

namespace attest::cli {
namespace {

struct MergeArguments {
  std::vector<std::string> reports;
  std::string out;
  bool force = false, redact = false;
};

int RunMerge(const MergeArguments& arguments) {
  if (arguments.reports.empty()) throw std::invalid_argument("merge needs reports: A B ...");
  if (arguments.out.empty()) throw std::invalid_argument("merge needs -o OUT; '-' is stdout");
  const bool to_stdout = arguments.out == "-";
  if (!to_stdout) CheckOutput(arguments.out);
  report::Report merged = report::Merge(ReadReports(arguments.reports), arguments.force);
  if (arguments.redact) report::Redact(merged, report::UserNames());
  const std::string text = report::WriteJson(merged);
  if (to_stdout)
    report::WriteAll(fileno(stdout), text, "stdout");
  else
    report::WriteAtomically(arguments.out, text);
  fmt::print(stderr, "attest: merged {} reports: {}\n", arguments.reports.size(),
             report::CountsLine(merged.summary));
  return ExitCodeOf(merged, true);
}

}  // namespace

Command AddMerge(CLI::App& app) {
  CLI::App* parser = app.add_subcommand("merge", "shards, backends and machines into one report");
  const auto arguments = std::make_shared<MergeArguments>();
  parser->add_option("REPORT", arguments->reports, "the reports to read");
  parser->add_option("-o,--out", arguments->out, "file of the merged report; '-' is stdout");
  parser->add_flag("--force", arguments->force,
                   "merge in spite of other commits, other options or missing shards");
  parser->add_flag("--redact", arguments->redact,
                   "no host name, user name, path or command line: to publish what was measured");
  parser->footer(
      "Backends of different machines are named SLUG.BACKEND.\n\nExamples:\n"
      "  attest run --shard 1/2 --out a.json    # here\n"
      "  attest run --shard 2/2 --out b.json    # there\n"
      "  attest merge a.json b.json -o all.json\n"
      "  attest merge r.json -o public.json --redact\n\n"
      "Exit codes: as attest run's on the merged report; 2 for reports that do not belong "
      "together");
  return {parser, [arguments] { return RunMerge(*arguments); }};
}

}  // namespace attest::cli
