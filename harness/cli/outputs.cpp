// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/outputs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "harness/cli/summary_file.h"
#include "harness/report/files.h"
#include "harness/report/json.h"

namespace attest::cli {
namespace {

// The report room calls a file's failure a runtime error; before the sweep it is the user's to put
// right.
template <class Function>
auto AsUsage(Function function) {
  try {
    return function();
  } catch (const std::runtime_error& error) {
    throw std::invalid_argument(error.what());
  }
}

void RequireSamePolicy(report::Policy before, const report::Policy& now) {
  before.argv = now.argv;
  before.executable = now.executable;
  const std::string was = report::WritePolicyJson(before), is = report::WritePolicyJson(now);
  if (was != is)
    throw std::invalid_argument(
        fmt::format("--resume: the killed run had other options, give the same ones\n  then: {}\n"
                    "  now:  {}",
                    was, is));
}

}  // namespace

Outputs::Outputs(std::string out, std::string summary)
    : out_(std::move(out)), summary_(std::move(summary)) {
  AsUsage([&] {
    if (to_file()) report::CheckWritable(out_);
    if (to_file()) report::CheckWritable(report::JournalPath(out_));
    if (!summary_.empty() && summary_ != "auto") report::CheckWritable(summary_);
  });
}

std::vector<report::CellRecord> Outputs::OpenJournal(bool resume, const report::Policy& policy,
                                                     std::string& date) {
  if (resume && !to_file()) throw std::invalid_argument("--resume needs --out FILE");
  if (!to_file()) return {};
  const std::string path = report::JournalPath(out_);
  if (!std::filesystem::exists(path)) {
    journal_.emplace(report::Journal::Create(path, policy, date));
    return {};
  }
  report::JournalContents contents = AsUsage([&] { return report::ReadJournal(path); });
  if (!resume && contents.cells.empty()) {  // of a run that ended before its first cell
    journal_.emplace(report::Journal::Create(path, policy, date));
    return {};
  }
  if (!resume)
    throw std::invalid_argument(path +
                                " holds the finished cells of a run that was killed: continue it "
                                "with --resume, or delete it");
  RequireSamePolicy(contents.policy, policy);
  date = contents.date;
  journal_.emplace(report::Journal::Continue(path, contents));
  return std::move(contents.cells);
}

void Outputs::Append(const report::CellRecord& cell) {
  if (journal_) journal_->Append(cell);
}

void Outputs::WriteReport(const report::Report& report) {
  if (out_.empty()) return;
  const std::string text = report::WriteJson(report);
  if (to_stdout()) {
    report::WriteAll(STDOUT_FILENO, text, "stdout");
    return;
  }
  report::WriteAtomically(out_, text);
  journal_.reset();
  std::filesystem::remove(report::JournalPath(out_));
}

std::string Outputs::WriteSummary(const std::string& text) const {
  if (summary_.empty()) return "";
  return WriteSummaryFile(summary_, [&](size_t) { return text; });
}

}  // namespace attest::cli
