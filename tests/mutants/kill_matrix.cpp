// SPDX-License-Identifier: Apache-2.0
//
// The verifier's own test: every mutant must be killed, by a check that is meant to find its fault,
// on cells where the fault can show; every correct variant must pass on the same cells. Prints for
// each mutant all checks that see it. Groups of cells may be named: kill_matrix layer cross. Exits
// with 1 where a mutant lives, only other checks found it, or a correct variant is rejected.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>
#include <set>
#include <stdexcept>

#include "harness/core/words.h"
#include "plugins.h"

namespace mutants {
namespace {

using attest::Axes;
using attest::report::Result;
using attest::report::Verdict;

constexpr int kFaultsListed = 52;

// 197 keys: no multiple of a tile. Three query heads a kv head, head sizes that differ, three batch
// entries: nothing can be mixed up without a trace.
Axes Shape(const Axes& more) {
  Axes axes = {{"seq", "197"},      {"heads", "6"},        {"kv-heads", "2"},
               {"head-size", "40"}, {"v-head-size", "24"}, {"batch", "3"}};
  for (const auto& [name, value] : more) axes[name] = value;
  return axes;
}

// A layer whose weights are square, so that one that is not transposed still fits; room in X for
// two groups of heads that search for keys of their own.
Axes Layer(const Axes& more) {
  Axes axes = {{"op", "self_attention"}, {"seq", "65"}, {"heads", "4"},
               {"hidden", "320"},        {"bias", "1"}, {"batch", "2"}};
  for (const auto& [name, value] : more) axes[name] = value;
  return axes;
}

const std::map<std::string, std::vector<Axes>>& Groups() {
  static const std::map<std::string, std::vector<Axes>> groups = {
      {"additive", {Shape({{"mask", "additive"}, {"batch", "1"}})}},
      {"additive_heads", {Shape({{"mask", "additive"}, {"mask-shape", "head"}, {"batch", "1"}})}},
      {"boolean", {Shape({{"mask", "boolean"}, {"batch", "2"}})}},
      {"boolean_batches",
       {Shape({{"mask", "boolean"}, {"mask-shape", "batch,full"}, {"batch", "2"}})}},
      {"bottom_right", {Shape({{"seq", "70"}, {"kv-len", "197"}, {"causal", "bottom_right"}})}},
      {"causal", {Shape({{"causal", "causal"}})}},
      {"cross", {Layer({{"cross", "1"}}), Layer({{"cross", "1"}, {"kv-len", "33"}})}},
      {"dead_rows", {Shape({{"causal", "-3"}, {"batch", "1"}})}},
      {"full", {Shape({})}},
      {"hidden_keys", {Shape({{"mask", "boolean"}, {"mask-shape", "keys"}, {"batch", "2"}})}},
      {"large_scores", {Shape({{"data", "large_scores"}, {"batch", "1"}})}},
      {"layer", {Layer({{"out-proj", "0,1"}}), Layer({{"causal", "causal"}})}},
      {"lengths", {Shape({{"kv-lengths", "1"}, {"causal", "causal"}})}},
      {"low_precision", {Shape({{"dtype", "f16,bf16"}, {"batch", "1"}})}},
      {"many_rows", {Shape({{"seq", "397"}, {"kv-len", "67"}})}},
      {"padded", {Shape({{"layout", "bnsh_padded,bsnh_padded"}, {"batch", "1"}})}},
      {"rising", {Shape({{"data", "rising"}, {"batch", "1"}})}},
      {"short", {Shape({{"seq", "17"}, {"data", "normal,peaky"}})}},
      {"softcap", {Shape({{"softcap", "2"}, {"mask", "additive"}, {"batch", "1"}})}},
      {"window", {Shape({{"window", "20:5"}, {"batch", "1"}})}},
  };
  return groups;
}

struct Kill {
  Verdict verdict = Verdict::kPass;
  std::set<std::string> checks;  // that fired on any of its cells; empty = it lives
  double error_over_bound = 0;
  std::string reason;
};

bool IsKilled(const Mutant& mutant, const Kill& kill) {
  const std::vector<std::string> expected = attest::Split(mutant.checks, '|');
  return std::any_of(expected.begin(), expected.end(),
                     [&](const std::string& check) { return kill.checks.count(check) > 0; });
}

class Matrix {
 public:
  void RunGroup(const std::string& name, const std::vector<Axes>& blocks) {
    std::vector<const Mutant*> plugins;
    for (const Mutant& mutant : AllMutants())
      if (IsCorrect(mutant) || name == mutant.cells) plugins.push_back(&mutant);
    const auto outcome = Verify(plugins, attest::ExpandSweep(blocks, {}, 1));
    for (const auto& cell : outcome.cells)
      for (const Result& result : cell.results) {
        const Mutant& mutant = FindMutant(result.backend);
        if (IsCorrect(mutant))
          NoteCorrect(cell.id, result);
        else
          NoteMutant(mutant, result);
      }
    results_ += outcome.cells.size() * plugins.size();
  }

  void Print() const {
    fmt::print("{:<28}{:<12}{:>13}  {}\n", "mutant", "verdict", "error/bound", "checks that fired");
    for (const Mutant& mutant : AllMutants()) {
      const auto found = kills_.find(mutant.name);
      if (found == kills_.end()) continue;
      const Kill& kill = found->second;
      fmt::print("{:<28}{:<12}{:>13.3g}  {}\n", mutant.name,
                 attest::report::VerdictName(kill.verdict), kill.error_over_bound,
                 kill.checks.empty() ? "LIVES" : fmt::format("{}", fmt::join(kill.checks, " ")));
      fmt::print("{:<28}{}\n", "", mutant.what);
    }
    fmt::print("\n{:<28}{:>18}\n", "correct variant", "worst error/bound");
    for (const auto& [name, worst] : worst_) fmt::print("{:<28}{:>18.3g}\n", name, worst);
  }

  // One line for each thing that is not as it should be, of the mutants of those groups; none: all.
  int PrintFailures(const std::set<std::string>& groups) const {
    std::vector<std::string> failures = rejected_;
    std::set<std::string> faults, killed;
    size_t mutants = 0, kills = 0;
    for (const Mutant& mutant : AllMutants()) {
      if (IsCorrect(mutant) || (!groups.empty() && groups.count(mutant.cells) == 0)) continue;
      const std::string failure = Failure(mutant);
      const std::string fault = std::string(mutant.name).substr(0, 3);  // "m25" of m25a and m25b
      const bool dead = failure.empty();
      ++mutants;
      kills += dead;
      faults.insert(fault);
      if (dead) killed.insert(fault);
      if (!failure.empty()) failures.push_back(failure);
    }
    if (groups.empty() && faults.size() != kFaultsListed)
      failures.push_back(
          fmt::format("{} faults in the table, {} are listed", faults.size(), kFaultsListed));
    if (worst_.size() < 10) failures.push_back("fewer than 10 correct variants");
    fmt::print(
        "\n{} of {} mutants killed, {} of {} faults; {} correct variants, {} rejections; {} "
        "results\n",
        kills, mutants, killed.size(), faults.size(), worst_.size(), rejected_.size(), results_);
    for (const std::string& failure : failures) fmt::print("FAILED: {}\n", failure);
    return failures.empty() ? 0 : 1;
  }

 private:
  std::string Failure(const Mutant& mutant) const {
    const auto found = kills_.find(mutant.name);
    if (found == kills_.end())
      return fmt::format("{} ran on no cell: there is no group '{}'", mutant.name, mutant.cells);
    const Kill& kill = found->second;
    if (IsKilled(mutant, kill)) return "";
    if (kill.checks.empty()) return fmt::format("{} lives", mutant.name);
    return fmt::format("{} was found by {}, not by {}: {}", mutant.name,
                       fmt::join(kill.checks, ", "), mutant.checks, kill.reason);
  }

  // All checks of all its cells; a suspicion counts where nothing failed.
  void NoteMutant(const Mutant& mutant, const Result& result) {
    Kill& kill = kills_[mutant.name];
    const bool fails = attest::report::IsFailure(result.verdict);
    const bool failed = attest::report::IsFailure(kill.verdict);
    kill.error_over_bound = std::max(kill.error_over_bound, ErrorOverBound(result));
    if (failed && !fails) return;
    if (fails && !failed) kill.checks.clear();
    for (const std::string& check : FiredChecks(result)) kill.checks.insert(check);
    if (fails && kill.reason.empty()) kill.reason = result.reason;
    kill.verdict = fails || !kill.checks.empty() ? result.verdict : kill.verdict;
  }

  void NoteCorrect(const std::string& cell, const Result& result) {
    double& worst = worst_[result.backend];
    worst = std::max(worst, ErrorOverBound(result));
    // Vacuous is no rejection: it says that the cell can show nothing.
    if (!attest::report::IsVerified(result.verdict) && result.verdict != Verdict::kVacuous)
      rejected_.push_back(fmt::format("{} is {} on {}: {}", result.backend,
                                      attest::report::VerdictName(result.verdict), cell,
                                      result.reason));
  }

  std::map<std::string, Kill> kills_;
  std::map<std::string, double> worst_;
  std::vector<std::string> rejected_;
  size_t results_ = 0;
};

int Run(const std::set<std::string>& groups) {
  for (const std::string& name : groups)
    if (Groups().count(name) == 0)
      throw std::invalid_argument(fmt::format("there is no group '{}'", name));
  Matrix matrix;
  for (const auto& [name, blocks] : Groups())
    if (groups.empty() || groups.count(name) != 0) matrix.RunGroup(name, blocks);
  matrix.Print();
  return matrix.PrintFailures(groups);
}

}  // namespace
}  // namespace mutants

int main(int argc, char** argv) {
  try {
    return mutants::Run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kill_matrix: %s\n", error.what());
    return 1;
  }
}
