// SPDX-License-Identifier: Apache-2.0
//
// Words of the model's enumerations, and the summary's counting.
#include "harness/report/model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <stdexcept>

namespace attest::report {
namespace {

constexpr std::array<std::string_view, kVerdictCount> kVerdicts = {
    "pass", "suspicious", "fail", "vacuous", "unsupported", "error", "timeout", "crash", "skipped"};
constexpr std::array<std::string_view, 3> kStates = {"loaded", "unavailable", "rejected"};

size_t IndexOf(std::span<const std::string_view> words, std::string_view word, const char* what) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end())
    throw std::invalid_argument(
        fmt::format("'{}' is no {}: known are {}", word, what, fmt::join(words, ", ")));
  return static_cast<size_t>(found - words.begin());
}

VerdictCounts& CountsOf(std::vector<VerdictCounts>& all, const std::string& label) {
  for (VerdictCounts& counts : all)
    if (counts.label == label) return counts;
  all.push_back({label, {}});
  return all.back();
}

}  // namespace

std::string_view VerdictName(Verdict verdict) { return kVerdicts.at(static_cast<size_t>(verdict)); }
Verdict VerdictFromName(std::string_view name) {
  return static_cast<Verdict>(IndexOf(kVerdicts, name, "verdict"));
}
std::string_view BackendStateName(BackendState state) {
  return kStates.at(static_cast<size_t>(state));
}
BackendState BackendStateFromName(std::string_view name) {
  return static_cast<BackendState>(IndexOf(kStates, name, "backend state"));
}

bool IsVerified(Verdict verdict) {
  return verdict == Verdict::kPass || verdict == Verdict::kSuspicious;
}

bool IsFailure(Verdict verdict) {
  return !IsVerified(verdict) && verdict != Verdict::kUnsupported && verdict != Verdict::kSkipped;
}

std::string LabelOf(const Result& result) {
  return ResultLabel(result.backend, result.variant, result.device);
}

void Summarize(const std::vector<CellRecord>& cells, Summary& summary) {
  Summary fresh;
  fresh.duration_seconds = summary.duration_seconds;
  fresh.verification_seconds = summary.verification_seconds;
  fresh.cells = cells.size();
  for (const CellRecord& cell : cells) {
    for (const Result& result : cell.results) {
      const auto index = static_cast<size_t>(result.verdict);
      ++fresh.results;
      ++fresh.counts.at(index);
      ++CountsOf(fresh.per_label, LabelOf(result)).counts.at(index);
      fresh.verified += IsVerified(result.verdict) ? 1 : 0;
      fresh.failed += IsFailure(result.verdict) ? 1 : 0;
    }
  }
  summary = std::move(fresh);
}

}  // namespace attest::report
