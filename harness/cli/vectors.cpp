// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/vectors.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <map>
#include <set>

#include "harness/cli/exit_code.h"
#include "harness/cli/interrupt.h"
#include "harness/cli/outputs.h"
#include "harness/cli/progress.h"
#include "harness/cli/settings.h"
#include "harness/report/environment.h"
#include "harness/report/format.h"
#include "harness/report/redact.h"
#include "harness/report/rows.h"
#include "harness/report/scaling.h"
#include "harness/report/table.h"
#include "harness/vectors/attention_case.h"
#include "harness/vectors/file_check.h"

namespace attest::cli {
namespace {

// In place of a backend's name where a case could not be read: no backend has seen it.
constexpr const char* kFilesLabel = "vectors";

struct Read {
  vectors::CaseFiles files;
  std::vector<vectors::Finding> findings;
};

struct Tally {
  size_t passed = 0, suspicious = 0, unsupported = 0, other = 0;
  double worst = 0;  // error / bound
};

class VectorRun {
 public:
  VectorRun(const RunOptions& options, const VectorOptions& vectors)
      : options_(options),
        vectors_(vectors),
        settings_(SettingsOf(options, false)),
        outputs_(options.out, options.summary),
        progress_(options.quiet) {
    for (const std::string& text : options.require) requirements_.push_back(ParseRequirement(text));
    settings_.cells.clear();
    report_.policy = PolicyOf(options, settings_);
    report_.policy.suite = kFilesLabel;
    report_.policy.data = vectors.directory;
    report_.date = report::DateNow();
  }

  int Run() {
    for (const vectors::CaseFiles& files : vectors::FindCases(vectors_.directory)) ReadOne(files);
    CatchInterrupts();
    Fill(judge::RunSweep(settings_, MakeHooks()));
    progress_.Clear();
    if (options_.redact) report::Redact(report_, report::UserNames());
    outputs_.WriteReport(report_);
    Print();
    const std::string missing =
        outputs_.WriteSummary(report::MarkdownSummary(report_, options_.baseline));
    if (!missing.empty()) progress_.Warn(missing);
    return Conclude();
  }

 private:
  void ReadOne(const vectors::CaseFiles& files) {
    try {
      vectors::Case vector = vectors::ReadCase(files);
      vector.cell.seed = settings_.seed;
      read_.push_back({files, vectors::CheckFile(vector, settings_.threads)});
      settings_.cells.push_back(vector.cell);
      settings_.given.push_back(std::move(vector.given));
    } catch (const std::exception& error) {
      malformed_.push_back(Malformed(files, error.what()));
    }
  }

  static report::CellRecord Malformed(const vectors::CaseFiles& files, const std::string& reason) {
    report::CellRecord record;
    record.id = fmt::format("{}/{}", kFilesLabel, files.name);
    ResolveProblem(record.cell.problem);
    record.cell.data = files.name;
    report::Result result;
    result.backend = kFilesLabel;
    result.verdict = report::Verdict::kError;
    result.reason = reason;
    result.reproduce = fmt::format("attest verify --vectors {}", files.folder);
    record.results.push_back(std::move(result));
    return record;
  }

  judge::Hooks MakeHooks() {
    judge::Hooks hooks;
    hooks.progress = [this](const judge::Progress& progress) { progress_.Show(progress); };
    hooks.warning = [this](const std::string& text) { progress_.Warn(text); };
    hooks.stop = Interrupted;
    return hooks;
  }

  void Fill(judge::Outcome outcome) {
    for (size_t i = 0; i < outcome.cells.size(); ++i) Annotate(read_[i], outcome.cells[i]);
    report_.machine = report::DescribeMachine();
    report_.build = report::DescribeBuild();
    report_.backends = std::move(outcome.backends);
    report_.complete = !outcome.interrupted;
    report_.cells = std::move(outcome.cells);
    for (report::CellRecord& record : malformed_) report_.cells.push_back(std::move(record));
    report_.summary.duration_seconds = outcome.duration_seconds;
    report_.summary.verification_seconds = outcome.verification_seconds;
    report::Summarize(report_.cells, report_.summary);
  }

  // A backend is right only if the file and the reference that judged it mean the same.
  static void Annotate(const Read& read, report::CellRecord& record) {
    for (report::Result& result : record.results) {
      for (const vectors::Finding& finding : read.findings) {
        if (result.verification)
          result.verification->checks.push_back(
              {finding.check, finding.ok ? "pass" : "fail", finding.detail});
        if (finding.ok) continue;
        result.verdict = report::Verdict::kError;
        result.reason = fmt::format("{}: {}", finding.check, finding.detail);
      }
      if (!report::IsFailure(result.verdict)) continue;
      result.reproduce = fmt::format("attest verify --vectors {} --backend {}", read.files.folder,
                                     report::LabelOfAnyThreads(result));
      if (const unsigned fewer = report::FewerThreads(result))
        result.reproduce += fmt::format(" --threads {}", fewer);
    }
  }

  std::map<std::string, Tally> Tallies() const {
    std::map<std::string, Tally> tallies;
    for (const report::CellRecord& record : report_.cells)
      for (const report::Result& result : record.results) {
        Tally& tally = tallies[report::LabelOf(result)];
        using report::Verdict;
        size_t& count = result.verdict == Verdict::kPass          ? tally.passed
                        : result.verdict == Verdict::kSuspicious  ? tally.suspicious
                        : result.verdict == Verdict::kUnsupported ? tally.unsupported
                                                                  : tally.other;
        ++count;
        if (result.verification)
          tally.worst = std::max(tally.worst, result.verification->error_over_bound);
      }
    return tallies;
  }

  void Print() const {
    std::FILE* stream = outputs_.to_stdout() ? stderr : stdout;
    std::vector<std::vector<std::string>> rows;
    for (const auto& [label, tally] : Tallies())
      rows.push_back({label, fmt::to_string(tally.passed), fmt::to_string(tally.suspicious),
                      fmt::to_string(tally.unsupported), fmt::to_string(tally.other),
                      report::FormatNumber(tally.worst)});
    constexpr auto kRight = report::Align::kRight;
    fmt::print(stream, "{}\n",
               report::LayOut({{"backend"},
                               {"pass", kRight},
                               {"suspicious", kRight},
                               {"unsupported", kRight},
                               {"failed", kRight},
                               {"err/bound", kRight}},
                              rows));
    for (const report::Reason& reason : report::CollectReasons(report_)) {
      fmt::print(stream, "{} {} {}{}: {}\n", reason.verdict, reason.label, reason.first_cell,
                 reason.count > 1 ? fmt::format(" and {} more", reason.count - 1) : "",
                 reason.text);
      if (!reason.reproduce.empty()) fmt::print(stream, "    {}\n", reason.reproduce);
    }
    const auto agree = std::count_if(read_.begin(), read_.end(), [](const Read& read) {
      return std::all_of(read.findings.begin(), read.findings.end(),
                         [](const vectors::Finding& finding) { return finding.ok; });
    });
    fmt::print(stream, "{} cases: {} read, {} agree with the reference\n{}\n",
               read_.size() + malformed_.size(), read_.size(), agree,
               report::CountsLine(report_.summary));
    if (outputs_.to_file()) fmt::print(stream, "report: {}\n", options_.out);
    std::fflush(stream);
  }

  int Conclude() {
    const std::vector<std::string> unmet = Unmet(requirements_, report_);
    for (const std::string& message : unmet) progress_.Warn(message);
    const bool enough = read_.size() >= vectors_.expect;
    if (!enough)
      progress_.Warn(fmt::format("--vectors {}: {} cases could be read, at least {} are expected",
                                 vectors_.directory, read_.size(), vectors_.expect));
    return ExitCodeOf(report_, enough && unmet.empty());
  }

  const RunOptions& options_;
  const VectorOptions& vectors_;
  judge::Settings settings_;
  Outputs outputs_;
  ProgressLine progress_;
  std::vector<Requirement> requirements_;
  std::vector<Read> read_;  // one for each cell
  std::vector<report::CellRecord> malformed_;
  report::Report report_;
};

}  // namespace

void AddVectorOptions(CLI::App& parser, VectorOptions& options) {
  constexpr const char* kGroup = "Vectors";
  CLI::Option* directory =
      parser.add_option("--vectors", options.directory,
                        "run the ONNX Attention node tests in this directory, instead of a sweep");
  directory->group(kGroup);
  parser
      .add_option("--expect", options.expect,
                  "cases that must be there at least, else exit code 5; default 1")
      ->check(CLI::Range(size_t{1}, std::numeric_limits<size_t>::max()))
      ->needs(directory)
      ->group(kGroup);
}

int RunVectors(const RunOptions& options, const VectorOptions& vectors) {
  const Axes axes = GivenAxes(options);
  if (!axes.empty())
    throw std::invalid_argument(fmt::format(
        "--vectors runs the cases of a directory: leave out --{}", axes.begin()->first));
  if (options.resume || options.list_cells || !options.shard.empty())
    throw std::invalid_argument("--vectors goes with none of --resume, --list-cells, --shard");
  return VectorRun(options, vectors).Run();
}

}  // namespace attest::cli
