// SPDX-License-Identifier: Apache-2.0
#include "plugins.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "harness/core/plugins.h"

namespace mutants {
namespace {

namespace judge = attest::judge;
namespace report = attest::report;

std::string BuildDir() {
  const char* folder = std::getenv("ATTEST_BUILD_DIR");
  if (folder == nullptr)
    throw std::runtime_error(
        "ATTEST_BUILD_DIR is not set: run this by ctest, or set it to the build");
  return folder;
}

std::vector<std::string> ChecksOf(const report::Result& result, const char* outcome) {
  std::vector<std::string> names;
  if (!result.verification) return names;
  for (const report::Check& check : result.verification->checks)
    if (check.outcome == outcome) names.push_back(check.name);
  return names;
}

}  // namespace

bool IsCorrect(const Mutant& mutant) { return mutant.fault == Fault::kNone; }

judge::Outcome Verify(const std::vector<const Mutant*>& plugins,
                      const std::vector<attest::Cell>& cells) {
  std::vector<std::string> folders;
  for (const Mutant* mutant : plugins)
    folders.push_back(BuildDir() + "/tests/mutants/" + mutant->name);
  judge::Settings settings;
  settings.worker_path = BuildDir() + "/bin/attest-worker";
  settings.plugins = attest::FindPlugins(folders, "");
  settings.cells = cells;
  settings.measure = false;
  settings.all_checks = settings.every_check = true;
  settings.max_cell_seconds = 600;  // nothing is skipped: a skipped mutant is not a killed one
  settings.oracle_budget = 1e12;    // every row is compared
  settings.threads = std::max(1u, std::thread::hardware_concurrency());
  judge::Outcome outcome = judge::RunSweep(settings, {});
  if (outcome.backends.size() != plugins.size())
    throw std::runtime_error("plugins are missing from the build: build attest_mutants");
  for (const report::Backend& backend : outcome.backends)
    if (backend.state != report::BackendState::kLoaded)
      throw std::runtime_error(backend.name + " was not loaded: " + backend.reason);
  return outcome;
}

std::vector<std::string> FiredChecks(const report::Result& result) {
  if (auto failed = ChecksOf(result, "fail"); !failed.empty()) return failed;
  if (report::IsFailure(result.verdict)) return {std::string(report::VerdictName(result.verdict))};
  return ChecksOf(result, "suspicious");
}

double ErrorOverBound(const report::Result& result) {
  return result.verification ? result.verification->error_over_bound : 0;
}

}  // namespace mutants
