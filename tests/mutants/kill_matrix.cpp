// SPDX-License-Identifier: Apache-2.0
//
// The verifier's own test: every mutant must be killed, by a check that is meant to find its fault,
// on cells where the fault can show; every correct variant must pass on the same cells. Prints who
// was killed by what. Exits with 1 where a mutant lives, the wrong check found it, or a correct
// variant is rejected.
#include <fmt/format.h>

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

constexpr int kFaultsListed = 46;

// 197 keys: no multiple of a tile. Three query heads a kv head, head sizes that differ, three batch
// entries: nothing can be mixed up without a trace.
Axes Shape(const Axes& more) {
  Axes axes = {{"seq", "197"},      {"heads", "6"},        {"kv-heads", "2"},
               {"head-size", "40"}, {"v-head-size", "24"}, {"batch", "3"}};
  for (const auto& [name, value] : more) axes[name] = value;
  return axes;
}

const std::map<std::string, std::vector<Axes>>& Groups() {
  static const std::map<std::string, std::vector<Axes>> groups = {
      {"additive", {Shape({{"mask", "additive"}, {"batch", "1"}})}},
      {"boolean", {Shape({{"mask", "boolean"}, {"batch", "2"}})}},
      {"bottom_right", {Shape({{"seq", "70"}, {"kv-len", "197"}, {"causal", "bottom_right"}})}},
      {"causal", {Shape({{"causal", "causal"}})}},
      {"dead_rows", {Shape({{"causal", "-3"}, {"batch", "1"}})}},
      {"full", {Shape({})}},
      {"large_scores", {Shape({{"data", "large_scores"}, {"batch", "1"}})}},
      {"lengths", {Shape({{"kv-lengths", "1"}, {"causal", "causal"}})}},
      {"low_precision", {Shape({{"dtype", "f16,bf16"}, {"batch", "1"}})}},
      {"many_rows", {Shape({{"seq", "397"}, {"kv-len", "67"}})}},
      {"rising", {Shape({{"data", "rising"}, {"batch", "1"}})}},
      {"short", {Shape({{"seq", "17"}, {"data", "normal,peaky"}})}},
      {"softcap", {Shape({{"softcap", "2"}, {"mask", "additive"}, {"batch", "1"}})}},
      {"window", {Shape({{"window", "20:5"}, {"batch", "1"}})}},
  };
  return groups;
}

struct Kill {
  Verdict verdict = Verdict::kPass;
  std::string check;  // "" = it lives
  double error_over_bound = 0;
  std::string reason;
};

// Faults that a probe is meant to find move the outputs of random data, too, where the sequence is
// short enough; which of the two comes first is the judge's business.
bool Expected(const Mutant& mutant, const std::string& check) {
  std::vector<std::string> checks = attest::Split(mutant.checks, '|');
  const std::set<std::string> expected(checks.begin(), checks.end());
  if (check == "bound")
    return expected.count("bound") + expected.count("needle") + expected.count("count") > 0;
  return expected.count(check) > 0;
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
    fmt::print("{:<28}{:<12}{:<22}{:>13}  {}\n", "mutant", "verdict", "check", "error/bound",
               "what is wrong");
    for (const Mutant& mutant : AllMutants()) {
      const auto found = kills_.find(mutant.name);
      if (found == kills_.end()) continue;
      const Kill& kill = found->second;
      fmt::print(
          "{:<28}{:<12}{:<22}{:>13.3g}  {}\n", mutant.name,
          attest::report::VerdictName(kill.verdict), kill.check.empty() ? "LIVES" : kill.check,
          kill.error_over_bound,
          *mutant.lives == 0 ? mutant.what : fmt::format("{} ({})", mutant.what, mutant.lives));
    }
    fmt::print("\n{:<28}{:>18}\n", "correct variant", "worst error/bound");
    for (const auto& [name, worst] : worst_) fmt::print("{:<28}{:>18.3g}\n", name, worst);
  }

  // One line for each thing that is not as it should be.
  int PrintFailures() const {
    std::vector<std::string> failures = rejected_;
    std::set<std::string> faults, killed;
    size_t mutants = 0, kills = 0;
    for (const Mutant& mutant : AllMutants()) {
      if (IsCorrect(mutant)) continue;
      const std::string failure = Failure(mutant);
      const std::string fault = std::string(mutant.name).substr(0, 3);  // "m25" of m25a and m25b
      const bool dead = failure.empty() && *mutant.lives == 0;
      ++mutants;
      kills += dead;
      faults.insert(fault);
      if (dead) killed.insert(fault);
      if (!failure.empty()) failures.push_back(failure);
    }
    if (faults.size() != kFaultsListed)
      failures.push_back(
          fmt::format("{} faults in the table, {} are listed", faults.size(), kFaultsListed));
    if (worst_.size() < 10) failures.push_back("fewer than 10 correct variants");
    fmt::print(
        "\n{} of {} mutants killed, {} of {} faults; {} correct variants, {} rejections; {} "
        "results\n",
        kills, mutants, killed.size(), kFaultsListed, worst_.size(), rejected_.size(), results_);
    for (const std::string& failure : failures) fmt::print("FAILED: {}\n", failure);
    return failures.empty() ? 0 : 1;
  }

 private:
  std::string Failure(const Mutant& mutant) const {
    const auto found = kills_.find(mutant.name);
    if (found == kills_.end())
      return fmt::format("{} ran on no cell: there is no group '{}'", mutant.name, mutant.cells);
    const Kill& kill = found->second;
    const bool lives = *mutant.lives != 0;
    if (kill.check.empty()) return lives ? "" : fmt::format("{} lives", mutant.name);
    if (lives)
      return fmt::format("{} was found by {}: take its reason to live out of the table",
                         mutant.name, kill.check);
    if (Expected(mutant, kill.check)) return "";
    return fmt::format("{} was found by {}, not by {}: {}", mutant.name, kill.check, mutant.checks,
                       kill.reason);
  }

  // The first failure counts, else a suspicion.
  void NoteMutant(const Mutant& mutant, const Result& result) {
    Kill& kill = kills_[mutant.name];
    if (attest::report::IsFailure(kill.verdict)) return;
    const std::string check = FiredCheck(result);
    if (check.empty() && !kill.check.empty()) return;
    kill = {result.verdict, check, ErrorOverBound(result), result.reason};
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

int Run() {
  Matrix matrix;
  for (const auto& [name, blocks] : Groups()) matrix.RunGroup(name, blocks);
  matrix.Print();
  return matrix.PrintFailures();
}

}  // namespace
}  // namespace mutants

int main() {
  try {
    return mutants::Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kill_matrix: %s\n", error.what());
    return 1;
  }
}
