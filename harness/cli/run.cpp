// SPDX-License-Identifier: Apache-2.0
//
// attest run: verify and measure a sweep; attest verify: verify alone. What is finished is in
// OUT.journal at once and in the report at the end, also after Ctrl-C.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
#include <set>

#include "harness/cli/command.h"
#include "harness/cli/exit_code.h"
#include "harness/cli/interrupt.h"
#include "harness/cli/outputs.h"
#include "harness/cli/paths.h"
#include "harness/cli/progress.h"
#include "harness/cli/saved_options.h"
#include "harness/cli/settings.h"
#include "harness/cli/studies.h"
#include "harness/cli/vectors.h"
#include "harness/report/environment.h"
#include "harness/report/redact.h"
#include "harness/report/table.h"

namespace attest::cli {
namespace {

class SweepRun {
 public:
  // Throws std::invalid_argument for everything that can be found before the sweep.
  SweepRun(const RunOptions& options, bool measure)
      : options_(options),
        settings_(SettingsOf(options, measure)),
        outputs_(options.out, options.summary),
        progress_(options.quiet) {
    for (const std::string& text : options.require) requirements_.push_back(ParseRequirement(text));
    RequireMemory(settings_.cells, measure);
    report_.policy = PolicyOf(options, settings_);
    report_.date = report::DateNow();
  }

  int Run() {
    order_ = settings_.cells;
    report_.cells = outputs_.OpenJournal(options_.resume, report_.policy, report_.date);
    std::set<std::string> done;
    for (const report::CellRecord& cell : report_.cells) done.insert(cell.id);
    std::erase_if(settings_.cells, [&](const Cell& cell) { return done.count(CellId(cell)) != 0; });
    CatchInterrupts();
    Fill(judge::RunSweep(settings_, MakeHooks()));
    if (report_.complete) report_.studies = RunStudies(options_, settings_);
    progress_.Clear();
    outputs_.WriteReport(report_);
    PrintTable();
    const std::string missing =
        outputs_.WriteSummary(report::MarkdownSummary(report_, options_.baseline));
    if (!missing.empty()) progress_.Warn(missing);
    return Conclude();
  }

 private:
  judge::Hooks MakeHooks() {
    judge::Hooks hooks;
    hooks.progress = [this](const judge::Progress& progress) { progress_.Show(progress); };
    hooks.warning = [this](const std::string& text) { progress_.Warn(text); };
    hooks.stop = Interrupted;
    hooks.cell_finished = [this](const report::CellRecord& cell) { outputs_.Append(cell); };
    return hooks;
  }

  void Fill(judge::Outcome outcome) {
    report_.machine = report::DescribeMachine();
    report_.build = report::DescribeBuild();
    report_.ceilings = std::move(outcome.ceilings);
    report_.backends = std::move(outcome.backends);
    report_.complete = !outcome.interrupted;
    for (report::CellRecord& cell : outcome.cells) report_.cells.push_back(std::move(cell));
    report_.summary.duration_seconds = outcome.duration_seconds;
    report_.summary.verification_seconds = outcome.verification_seconds;
    report::Summarize(report_.cells, report_.summary);
    if (options_.redact) report::Redact(report_, report::UserNames());
  }

  void PrintTable() const {
    std::FILE* stream = outputs_.to_stdout() ? stderr : stdout;
    report::TableOptions table;
    table.baseline = options_.baseline;
    table.color = UseColor(options_.color, fileno(stream));
    fmt::print(stream, "{}", report::TextTable(report_, table));
    PrintStudies(report_.studies, stream);
    if (outputs_.to_file()) fmt::print(stream, "report: {}\n", options_.out);
    std::fflush(stream);
  }

  int Conclude() {
    const std::vector<std::string> unmet = Unmet(requirements_, report_);
    for (const std::string& message : unmet) progress_.Warn(message);
    const ExitCode code = ExitCodeOf(report_, unmet.empty());
    if (code == kNothingVerified && report_.summary.verified == 0) progress_.Warn(WhyNothing());
    if (code == kInterrupted)
      progress_.Warn(fmt::format("interrupted: {} of {} cells are finished", report_.cells.size(),
                                 order_.size()));
    return code;
  }

  std::string WhyNothing() const {
    if (report_.summary.results > 0) return "nothing was verified";
    if (!report_.backends.empty()) return "nothing ran: no backend could be used, see attest list";
    return fmt::format(
        "nothing ran: no backend in [{}]; build one, or name a directory with "
        "--backend-path",
        fmt::join(PluginDirectories(options_.backend_paths), ", "));
  }

  const RunOptions& options_;
  judge::Settings settings_;
  Outputs outputs_;
  ProgressLine progress_;
  std::vector<Requirement> requirements_;
  std::vector<Cell> order_;
  report::Report report_;
};

int PrintCells(const RunOptions& options) {
  for (const Cell& cell : CellsOf(options)) fmt::print("{}\n", CellId(cell));
  return kAllVerified;
}

constexpr const char* kGrammar =
    "Axes take lists 128,512 and ranges 128-4096*2 (doubling) or 1024-4096+512 (in steps); one "
    "that "
    "is given\nreplaces the suite's. Examples:\n";

Command AddSweepCommand(CLI::App& app, const std::string& name, const std::string& description,
                        bool measure, const std::string& examples) {
  CLI::App* parser = app.add_subcommand(name, description);
  const auto options = std::make_shared<RunOptions>();
  AddRunOptions(*parser, *options);
  const auto vectors = std::make_shared<VectorOptions>();
  if (!measure) AddVectorOptions(*parser, *vectors);
  parser->footer(kGrammar + examples);
  return {parser, [=]() -> int {
            ApplySavedOptions(*parser, *options);
            if (!vectors->directory.empty()) return RunVectors(*options, *vectors);
            if (options->list_cells) return PrintCells(*options);
            return SweepRun(*options, measure).Run();
          }};
}

}  // namespace

Command AddRun(CLI::App& app) {
  return AddSweepCommand(
      app, "run", "verify and measure a sweep", true,
      "  attest run --suite smoke --out smoke.json\n"
      "  attest run --seq 128-4096*2 --heads 12 --head-size 64 --causal causal --out r.json\n"
      "  attest run --backend 'BACKEND:*' --rounds 20 --list-cells");
}

Command AddVerify(CLI::App& app) {
  return AddSweepCommand(app, "verify", "verify alone: a gate for continuous integration", false,
                         "  attest verify --suite hostile\n"
                         "  attest verify --vectors build/vectors --expect 64\n"
                         "  attest verify --suite smoke --require BACKEND:4 --out verify.json");
}

}  // namespace attest::cli
