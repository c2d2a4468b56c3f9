// SPDX-License-Identifier: Apache-2.0
#include "harness/report/compare/pairing.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <unordered_map>

#include "harness/core/threads.h"
#include "harness/report/scaling.h"

namespace attest::report {
namespace {

// "cpu", "gpu", ...; a backend whose devices are not listed runs on the host.
std::string DomainOf(const Report& report, const Result& result) {
  for (const Backend& backend : report.backends)
    if (backend.name == SplitThreads(result.backend).backend)
      for (const Device& device : backend.devices)
        if (device.index == result.device && !device.kind.empty()) return device.kind;
  return "cpu";
}

std::vector<double> Logarithms(const Timing& timing) {
  std::vector<double> logarithms;
  for (double sample : timing.samples_seconds) logarithms.push_back(std::log(sample));
  return logarithms;
}

Compared BetweenReports(const Timing& before, const Timing& after) {
  return {{},
          0,
          Rounds(Logarithms(before), Centre::kFasterHalf),
          Rounds(Logarithms(after), Centre::kFasterHalf)};
}

Compared WithinRounds(const Timing& before, const Timing& after) {
  std::vector<double> ratios = Logarithms(after);
  const std::vector<double> base = Logarithms(before);
  // A slow result is in the first rounds only; those are the same rounds for both.
  ratios.resize(std::min(ratios.size(), base.size()));
  for (size_t i = 0; i < ratios.size(); ++i) ratios[i] -= base[i];
  return {{}, 0, Rounds(ratios, Centre::kMedian), {}};
}

size_t FewestRounds(const Pair& pair) {
  return std::min(PublishedTiming(*pair.before)->samples_seconds.size(),
                  PublishedTiming(*pair.after)->samples_seconds.size());
}

size_t IndexOf(const std::vector<std::string>& sorted, const std::string& word) {
  return static_cast<size_t>(std::lower_bound(sorted.begin(), sorted.end(), word) - sorted.begin());
}

void SortUnique(std::vector<std::string>& words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
}

// `pairs` in the order of the cells. `make` compares two timings. Of what is lost, failed ones
// first.
void Fill(const Report& report, std::vector<Pair> pairs,
          Compared (*make)(const Timing&, const Timing&), Pairing& pairing) {
  std::vector<std::string> backends;
  for (const Pair& pair : pairs) {
    if (FewestRounds(pair) < kFewestRounds) continue;
    pairing.labels.push_back(LabelOf(*pair.after));
    pairing.domains.push_back(DomainOf(report, *pair.after));
    backends.push_back(SplitThreads(pair.after->backend).backend);
  }
  for (auto* words : {&pairing.labels, &pairing.domains, &backends}) SortUnique(*words);
  std::map<const CellRecord*, size_t> cells;
  struct Placed {
    DriftControl::Place place;
    Pair pair;
  };
  std::vector<Placed> placed;
  for (const Pair& pair : pairs) {
    if (FewestRounds(pair) < kFewestRounds) {
      pairing.too_short.push_back(pair);
      continue;
    }
    const size_t cell = cells.emplace(pair.cell, cells.size()).first->second;
    placed.push_back({{cell, IndexOf(backends, SplitThreads(pair.after->backend).backend),
                       IndexOf(pairing.domains, DomainOf(report, *pair.after))},
                      pair});
  }
  std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.place.cell, a.place.domain, a.place.backend) <
           std::tie(b.place.cell, b.place.domain, b.place.backend);
  });
  for (const Placed& one : placed) {
    Compared compared = make(*PublishedTiming(*one.pair.before), *PublishedTiming(*one.pair.after));
    compared.place = one.place;
    compared.label = IndexOf(pairing.labels, LabelOf(*one.pair.after));
    pairing.results.push_back(std::move(compared));
    pairing.pairs.push_back(one.pair);
  }
  std::stable_partition(pairing.lost.begin(), pairing.lost.end(),
                        [](const LostResult& lost) { return lost.failed; });
}

const Result* FindResult(const CellRecord& cell, const std::string& label) {
  for (const Result& result : cell.results)
    if (LabelOf(result) == label) return &result;
  return nullptr;
}

LostResult Lost(const CellRecord& cell, const std::string& label, const Result* result) {
  if (!result) return {cell.id, label, "absent", "", false};
  return {cell.id, label, std::string(VerdictName(result->verdict)), result->reason,
          IsFailure(result->verdict)};
}

// `before`, which has a time, beside the cell's result of that label; lost where that has none.
void PairOrLose(const Result& before, const CellRecord& cell, const std::string& label,
                std::vector<Pair>& pairs, Pairing& pairing) {
  const Result* after = FindResult(cell, label);
  if (after && PublishedTiming(*after))
    pairs.push_back({&cell, &before, after});
  else
    pairing.lost.push_back(Lost(cell, label, after));
}

}  // namespace

const Timing* PublishedTiming(const Result& result) {
  const bool published =
      IsVerified(result.verdict) && result.timing && !result.timing->samples_seconds.empty();
  if (!published) return nullptr;
  for (double sample : result.timing->samples_seconds)
    if (!(sample > 0 && std::isfinite(sample))) return nullptr;  // no measured time
  return &*result.timing;
}

Pairing PairReports(const Report& before, const Report& after) {
  Pairing pairing;
  std::vector<Pair> pairs;
  std::unordered_map<std::string, const CellRecord*> cells;
  for (const CellRecord& cell : after.cells) cells.emplace(cell.id, &cell);
  for (const CellRecord& cell : before.cells) {
    const auto found = cells.find(cell.id);
    if (found == cells.end()) continue;
    for (const Result& result : cell.results) {
      const std::string label = LabelOf(result);
      if (!PublishedTiming(result)) continue;
      PairOrLose(result, *found->second, label, pairs, pairing);
    }
  }
  Fill(after, std::move(pairs), BetweenReports, pairing);
  return pairing;
}

Pairing PairWithBaseline(const Report& report, const std::string& baseline) {
  Pairing pairing;
  std::vector<Pair> pairs;
  for (const CellRecord& cell : report.cells) {
    for (const Result& result : cell.results) {
      const Result* base = BaselineOf(cell, baseline, result);
      if (base && base != &result && PublishedTiming(*base) && PublishedTiming(result))
        pairs.push_back({&cell, base, &result});
    }
  }
  Fill(report, std::move(pairs), WithinRounds, pairing);
  return pairing;
}

Pairing PairWithBuild(const Report& report, const std::string& build) {
  const std::string suffix = "-" + build;
  Pairing pairing;
  std::vector<Pair> pairs;
  for (const CellRecord& cell : report.cells)
    for (const Result& base : cell.results) {
      const ThreadedName name = SplitThreads(base.backend);
      if (!name.backend.ends_with(suffix) || !PublishedTiming(base)) continue;
      const std::string backend = name.backend.substr(0, name.backend.size() - suffix.size());
      PairOrLose(base, cell,
                 ResultLabel(NameWithThreads(backend, name.fewer), base.variant, base.device),
                 pairs, pairing);
    }
  Fill(report, std::move(pairs), WithinRounds, pairing);
  return pairing;
}

}  // namespace attest::report
