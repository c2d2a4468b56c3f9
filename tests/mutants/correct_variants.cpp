// SPDX-License-Identifier: Apache-2.0
//
// No false alarms, and no bound that says nothing: every correct variant on every kind of data, on
// hostile shapes, in f32, f16 and bf16, for the seeds up to the first argument (from the second one
// on). Prints the worst error/bound of each kind and each variant. Exits with 1 where a correct
// variant is rejected, or where the bound is far above every error of every kind.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <stdexcept>

#include "harness/core/inputs.h"
#include "plugins.h"

namespace mutants {
namespace {

using attest::Axes;
using attest::report::Verdict;

constexpr double kTightest = 0.05;  // a bound that no kind of data comes closer to is no bound

// Short, odd, prime and one off a tile; all masks, GQA, batches, head sizes that differ, both
// layouts.
const std::vector<Axes>& Shapes() {
  static const std::vector<Axes> shapes = {
      {{"seq", "1"}, {"heads", "1"}, {"head-size", "1"}},
      {{"seq", "2"}, {"heads", "2"}, {"head-size", "3"}},
      {{"seq", "15"}, {"heads", "2"}, {"head-size", "40"}, {"causal", "causal"}},
      {{"seq", "16"}, {"heads", "4"}, {"kv-heads", "2"}, {"head-size", "16"}},
      {{"seq", "17"},
       {"heads", "2"},
       {"head-size", "64"},
       {"v-head-size", "24"},
       {"layout", "bsnh,bsnh_padded"}},
      {{"seq", "1"}, {"kv-len", "129"}, {"heads", "6"}, {"kv-heads", "2"}, {"head-size", "64"}},
      {{"seq", "33"},
       {"kv-len", "65"},
       {"heads", "2"},
       {"head-size", "72"},
       {"causal", "bottom_right"}},
      {{"seq", "65"}, {"kv-len", "33"}, {"heads", "1"}, {"head-size", "32"}, {"causal", "-3"}},
      {{"seq", "61"}, {"heads", "2"}, {"head-size", "16"}, {"batch", "2"}, {"mask", "boolean"}},
      {{"seq", "29"},
       {"heads", "2"},
       {"head-size", "16"},
       {"batch", "2"},
       {"mask", "boolean"},
       {"mask-shape", "full,keys"},
       {"layout", "bnsh_padded"}},
      {{"seq", "63"}, {"heads", "2"}, {"head-size", "24"}, {"mask", "additive"}, {"softcap", "5"}},
      {{"seq", "23"},
       {"heads", "2"},
       {"head-size", "24"},
       {"mask", "additive"},
       {"mask-shape", "head"}},
      {{"seq", "64"},
       {"heads", "1"},
       {"head-size", "32"},
       {"batch", "3"},
       {"kv-lengths", "1"},
       {"causal", "causal"}},
      {{"seq", "131"}, {"heads", "1"}, {"head-size", "80"}, {"window", "20:5"}},
      {{"seq", "600"}, {"kv-len", "67"}, {"heads", "2"}, {"head-size", "16"}},
      {{"seq", "257"}, {"heads", "1"}, {"head-size", "128"}, {"v-head-size", "8"}},
  };
  return shapes;
}

struct Tally {
  double worst = 0, worst_probabilistic = 0, worst_bias = 0;
  size_t results = 0, suspicious = 0, vacuous = 0;

  void Add(const attest::report::Result& result) {
    worst = std::max(worst, ErrorOverBound(result));
    if (result.verification) {
      const auto& figures = *result.verification;
      worst_probabilistic =
          std::max(worst_probabilistic, figures.error_over_probabilistic_bound.value_or(0));
      worst_bias = std::max(worst_bias, std::fabs(figures.bias_z.value_or(0)));
    }
    ++results;
    suspicious += result.verdict == Verdict::kSuspicious;
    vacuous += result.verdict == Verdict::kVacuous;
  }
};

void PrintTallies(const char* title, const std::map<std::string, Tally>& tallies) {
  fmt::print("\n{:<20}{:>9}{:>12}{:>9}{:>19}{:>16}{:>11}\n", title, "results", "suspicious",
             "vacuous", "worst error/bound", "worst error/Bp", "worst |z|");
  for (const auto& [name, tally] : tallies)
    fmt::print("{:<20}{:>9}{:>12}{:>9}{:>19.3g}{:>16.3g}{:>11.3g}\n", name, tally.results,
               tally.suspicious, tally.vacuous, tally.worst, tally.worst_probabilistic,
               tally.worst_bias);
}

class Trial {
 public:
  void RunSeed(uint64_t seed) {
    std::string kinds;
    for (const std::string& kind : attest::DataKinds()) kinds += (kinds.empty() ? "" : ",") + kind;
    std::vector<const Mutant*> plugins;
    for (const Mutant& mutant : AllMutants())
      if (IsCorrect(mutant)) plugins.push_back(&mutant);
    const auto cells =
        attest::ExpandSweep(Shapes(), {{"data", kinds}, {"dtype", "f32,f16,bf16"}}, seed);
    const auto outcome = Verify(plugins, cells);
    if (outcome.cells.size() != cells.size())
      throw std::runtime_error("not every cell was verified");
    for (const auto& cell : outcome.cells)
      for (const auto& result : cell.results) Note(seed, cell, result);
  }

  int Print() const {
    PrintTallies("data kind", kinds_);
    PrintTallies("correct variant", variants_);
    PrintTallies("io type", types_);
    double tightest = 0;
    for (const auto& [name, tally] : kinds_) tightest = std::max(tightest, tally.worst);
    fmt::print("\n{} results, {} rejected, worst error/bound {:.3g}\n", results_, rejected_.size(),
               tightest);
    for (const std::string& text : rejected_) fmt::print("REJECTED: {}\n", text);
    const bool tight = tightest > kTightest;
    if (!tight) fmt::print("FAILED: no error comes closer to its bound than {:.3g}\n", tightest);
    return rejected_.empty() && tight ? 0 : 1;
  }

 private:
  // A vacuous verdict is no rejection: it says that the cell can show nothing.
  void Note(uint64_t seed, const attest::report::CellRecord& cell,
            const attest::report::Result& result) {
    kinds_[cell.cell.data].Add(result);
    variants_[result.backend].Add(result);
    types_[std::string(attest::DtypeName(cell.cell.problem.dtype))].Add(result);
    ++results_;
    if (attest::report::IsVerified(result.verdict) || result.verdict == Verdict::kVacuous) return;
    rejected_.push_back(fmt::format("{} is {} on {}, seed {}: {}", result.backend,
                                    attest::report::VerdictName(result.verdict), cell.id, seed,
                                    result.reason));
  }

  std::map<std::string, Tally> kinds_, variants_, types_;
  std::vector<std::string> rejected_;
  size_t results_ = 0;
};

int Run(int count, char** arguments) {
  const auto number = [&](int argument, uint64_t missing) {
    if (argument >= count) return missing;
    uint64_t value = 0;
    const char* text = arguments[argument];
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
    if (error != std::errc() || *end != 0 || value == 0)
      throw std::invalid_argument("usage: correct_variants LAST_SEED [FIRST_SEED]");
    return value;
  };
  const uint64_t last = number(1, 1);
  Trial trial;
  for (uint64_t seed = number(2, 1); seed <= last; ++seed) trial.RunSeed(seed);
  return trial.Print();
}

}  // namespace
}  // namespace mutants

int main(int count, char** arguments) {
  try {
    return mutants::Run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "correct_variants: %s\n", error.what());
    return 1;
  }
}
