// SPDX-License-Identifier: Apache-2.0
//
// attest run: verify and measure a sweep; attest verify: verify alone. What is finished is in
// OUT.journal at once and in the report at the end, also after Ctrl-C.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>

#include "harness/cli/command.h"
#include "harness/cli/exit_code.h"
#include "harness/cli/interrupt.h"
#include "harness/cli/paths.h"
#include "harness/cli/progress.h"
#include "harness/cli/saved_options.h"
#include "harness/cli/settings.h"
#include "harness/report/environment.h"
#include "harness/report/files.h"
#include "harness/report/journal.h"
#include "harness/report/json.h"
#include "harness/report/table.h"

namespace attest::cli {
namespace {

// Wide enough for every column where stdout is no terminal.
constexpr size_t kTableWidth = 140;

class SweepRun {
 public:
  SweepRun(const RunOptions& options, bool measure, const std::vector<std::string>& arguments)
      : options_(options), settings_(SettingsOf(options, measure)), progress_(options.quiet) {
    for (const std::string& text : options.require) requirements_.push_back(ParseRequirement(text));
    RequireMemory(settings_.cells);
    report_.policy = PolicyOf(options, settings_, arguments);
    report_.date = report::DateNow();
    CheckOutputs();
  }

  int Run() {
    order_ = settings_.cells;
    OpenJournal();
    CatchInterrupts();
    judge::Outcome outcome = judge::RunSweep(settings_, MakeHooks());
    progress_.Clear();
    Fill(outcome);
    WriteReport();
    PrintTable();
    WriteSummary();
    return Conclude();
  }

 private:
  bool ToFile() const { return !options_.out.empty() && options_.out != "-"; }

  // What cannot be written is found before hours of work, not after.
  void CheckOutputs() const {
    try {
      if (ToFile()) report::CheckWritable(options_.out);
      if (ToFile()) report::CheckWritable(report::JournalPath(options_.out));
      if (!options_.summary.empty() && options_.summary != "auto")
        report::CheckWritable(options_.summary);
    } catch (const std::runtime_error& error) {
      throw std::invalid_argument(error.what());
    }
  }

  void OpenJournal() {
    if (options_.resume && !ToFile()) throw std::invalid_argument("--resume needs --out FILE");
    if (!ToFile()) return;
    const std::string path = report::JournalPath(options_.out);
    if (!std::filesystem::exists(path)) {
      journal_ = report::Journal::Create(path, report_.policy, report_.date);
      return;
    }
    if (!options_.resume)
      throw std::invalid_argument(
          path +
          " holds the finished cells of a run that was killed: continue it with "
          "--resume, or delete it");
    Resume(path);
  }

  void Resume(const std::string& path) {
    report::JournalContents contents;
    try {
      contents = report::ReadJournal(path);
    } catch (const std::runtime_error& error) {
      throw std::invalid_argument(error.what());
    }
    RequireSamePolicy(contents.policy);
    report_.date = contents.date;
    std::set<std::string> done;
    for (const report::CellRecord& cell : contents.cells) done.insert(cell.id);
    std::erase_if(settings_.cells, [&](const Cell& cell) { return done.count(CellId(cell)) != 0; });
    journal_ = report::Journal::Continue(path, contents);
    report_.cells = std::move(contents.cells);
  }

  void RequireSamePolicy(report::Policy before) const {
    before.argv = report_.policy.argv;
    before.executable = report_.policy.executable;
    const std::string was = report::WritePolicyJson(before),
                      is = report::WritePolicyJson(report_.policy);
    if (was != is)
      throw std::invalid_argument(fmt::format(
          "--resume: the killed run had other options; give the same ones\n  then: {}\n  now:  {}",
          was, is));
  }

  judge::Hooks MakeHooks() {
    judge::Hooks hooks;
    hooks.progress = [this](const judge::Progress& progress) { progress_.Show(progress); };
    hooks.warning = [this](const std::string& text) { progress_.Warn(text); };
    hooks.stop = Interrupted;
    hooks.cell_finished = [this](const report::CellRecord& cell) {
      if (journal_) journal_->Append(cell);
    };
    return hooks;
  }

  void Fill(judge::Outcome& outcome) {
    report_.machine = report::DescribeMachine();
    report_.build = report::DescribeBuild();
    report_.ceilings = std::move(outcome.ceilings);
    report_.backends = std::move(outcome.backends);
    report_.complete = !outcome.interrupted;
    for (report::CellRecord& cell : outcome.cells) report_.cells.push_back(std::move(cell));
    report_.summary.duration_seconds = outcome.duration_seconds;
    report_.summary.verification_seconds = outcome.verification_seconds;
    report::Summarize(report_.cells, report_.summary);
  }

  void WriteReport() {
    if (options_.out.empty()) return;
    const std::string text = report::WriteJson(report_);
    if (!ToFile()) {
      report::WriteAll(STDOUT_FILENO, text, "stdout");
      return;
    }
    report::WriteAtomically(options_.out, text);
    journal_.reset();
    std::filesystem::remove(report::JournalPath(options_.out));
  }

  void PrintTable() const {
    const bool data_on_stdout = options_.out == "-";
    std::FILE* stream = data_on_stdout ? stderr : stdout;
    const report::TableOptions table = {options_.baseline, kTableWidth,
                                        UseColor(options_.color, fileno(stream))};
    fmt::print(stream, "{}", report::TextTable(report_, table));
    if (ToFile()) fmt::print(stream, "report: {}\n", options_.out);
    std::fflush(stream);
  }

  void WriteSummary() {
    if (options_.summary.empty()) return;
    const std::string text = report::MarkdownSummary(report_, options_.baseline);
    if (options_.summary != "auto") {
      report::WriteAtomically(options_.summary, text);
      return;
    }
    const char* path = std::getenv("GITHUB_STEP_SUMMARY");
    if (path == nullptr || *path == '\0') {
      progress_.Warn("--summary auto: GITHUB_STEP_SUMMARY is not set, no summary is written");
      return;
    }
    // Earlier steps may have written to it.
    const report::Descriptor file = report::Open(path, O_WRONLY | O_CREAT | O_APPEND, "append to");
    report::WriteAll(file.get(), text, path);
  }

  int Conclude() {
    const std::vector<std::string> unmet = Unmet(requirements_, report_);
    for (const std::string& message : unmet) progress_.Warn(message);
    const ExitCode code = ExitCodeOf(report_, unmet.empty());
    if (report_.summary.results == 0 && code == kNothingVerified)
      progress_.Warn(WhyNothingRan());
    else if (report_.summary.verified == 0 && code == kNothingVerified)
      progress_.Warn("nothing was verified");
    if (code == kInterrupted)
      progress_.Warn(fmt::format("interrupted: {} of {} cells are finished", report_.cells.size(),
                                 order_.size()));
    return code;
  }

  std::string WhyNothingRan() const {
    if (!report_.backends.empty())
      return "nothing ran: no backend could be used (see `attest list`)";
    return fmt::format(
        "nothing ran: no backend in {}; build some, or name a directory with --backend-path",
        fmt::join(PluginDirectories(options_.backend_paths), ", "));
  }

  const RunOptions& options_;
  judge::Settings settings_;
  ProgressLine progress_;
  std::vector<Requirement> requirements_;
  std::vector<Cell> order_;
  report::Report report_;
  std::optional<report::Journal> journal_;
};

int PrintCells(const RunOptions& options) {
  for (const Cell& cell : CellsOf(options)) fmt::print("{}\n", CellId(cell));
  return kAllVerified;
}

Command AddSweepCommand(CLI::App& app, const std::string& name, const std::string& description,
                        bool measure, const std::string& examples) {
  CLI::App* parser = app.add_subcommand(name, description);
  const auto options = std::make_shared<RunOptions>();
  AddRunOptions(*parser, *options);
  parser->footer(
      "Axes take lists 128,512 and ranges 128-4096*2 (doubling) or 1024-4096+512 (steps); one that "
      "is "
      "given\nreplaces that of the suite. Examples:\n" +
      examples);
  return {parser, [=, &app] {
            ApplySavedOptions(*parser, *options);
            if (options->list_cells) return PrintCells(*options);
            return SweepRun(*options, measure, {"attest", name}).Run();
          }};
}

}  // namespace

Command AddRun(CLI::App& app) {
  return AddSweepCommand(
      app, "run", "verify and measure a sweep", true,
      "  attest run --suite smoke --out smoke.json\n"
      "  attest run --seq 128-4096*2 --heads 12 --head-size 64 --causal causal --out r.json\n"
      "  attest run --backend 'BACKEND:*' --dtype f32 --rounds 20 --list-cells");
}

Command AddVerify(CLI::App& app) {
  return AddSweepCommand(app, "verify", "verify alone: a gate for continuous integration", false,
                         "  attest verify --suite hostile\n"
                         "  attest verify --suite smoke --require BACKEND:4 --out verify.json");
}

}  // namespace attest::cli
