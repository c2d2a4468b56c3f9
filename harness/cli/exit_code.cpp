// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/exit_code.h"

#include <fmt/format.h>

#include <charconv>
#include <stdexcept>

#include "harness/core/words.h"

namespace attest::cli {
namespace {

uint64_t CountVerified(const std::string& label, const report::Report& report) {
  uint64_t count = 0;
  for (const report::CellRecord& cell : report.cells)
    for (const report::Result& result : cell.results) {
      const bool meant = label == result.backend || label == report::LabelOf(result) ||
                         label == ResultLabel(result.backend, result.variant, 0);
      if (meant && report::IsVerified(result.verdict)) ++count;
    }
  return count;
}

// Why a backend has fewer verified results than asked for: its own reason, or that there is none
// such.
std::string WhyMissing(const std::string& label, const report::Report& report) {
  const std::string name = label.substr(0, label.find_first_of(":@"));
  std::vector<std::string> known;
  for (const report::Backend& backend : report.backends) {
    if (backend.name == name && backend.state != report::BackendState::kLoaded)
      return fmt::format("; it is {}: {}", report::BackendStateName(backend.state), backend.reason);
    if (backend.name == name) return "";
    known.push_back(backend.name);
  }
  if (known.empty()) return "; no backend was found";
  return fmt::format("; there is no such backend, the nearest is '{}'", NearestWord(name, known));
}

}  // namespace

Requirement ParseRequirement(const std::string& text) {
  Requirement requirement{text, 1};
  if (const size_t colon = text.rfind(':'); colon != std::string::npos) {
    uint64_t count = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, count);
    const bool is_count = error == std::errc() && stop == end;  // else it is a variant's name
    if (is_count) requirement = {text.substr(0, colon), count};
  }
  if (requirement.label.empty() || requirement.count == 0)
    throw std::invalid_argument(fmt::format(
        "--require '{}': use BACKEND, or BACKEND:COUNT with a count of at least 1", text));
  return requirement;
}

std::vector<std::string> Unmet(const std::vector<Requirement>& requirements,
                               const report::Report& report) {
  std::vector<std::string> messages;
  for (const Requirement& requirement : requirements) {
    const uint64_t count = CountVerified(requirement.label, report);
    if (count >= requirement.count) continue;
    messages.push_back(fmt::format("--require {}: {} verified, {} required{}", requirement.label,
                                   count, requirement.count,
                                   WhyMissing(requirement.label, report)));
  }
  return messages;
}

ExitCode ExitCodeOf(const report::Report& report, bool requirements_met) {
  if (!report.complete) return kInterrupted;
  if (report.summary.failed > 0) return kVerificationFailed;
  if (report.summary.verified == 0 || !requirements_met) return kNothingVerified;
  return kAllVerified;
}

}  // namespace attest::cli
