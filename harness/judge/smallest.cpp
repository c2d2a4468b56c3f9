// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/smallest.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <system_error>

#include "harness/judge/examine.h"
#include "harness/judge/explain.h"
#include "harness/judge/inferred.h"
#include "harness/judge/reproduce.h"
#include "harness/judge/shrink.h"

namespace attest::judge {
namespace {

constexpr double kTotal = 10;  // times the seconds of one result

// Adds what it lived to a sum of seconds.
class Clock {
 public:
  explicit Clock(double& sum) : sum_(sum) {}
  ~Clock() { sum_ += Elapsed(); }
  Clock(const Clock&) = delete;
  double Elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  double& sum_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Failures of one kind may have one cause; one that writes past the end and one that is off by a
// per cent have not.
std::string KindOf(const report::Result& result) {
  if (result.verdict != report::Verdict::kFail) return std::string(VerdictName(result.verdict));
  constexpr std::array<std::string_view, 5> kOwn = {"memory", "implementation", "rerun", "bias",
                                                    "masked_nan"};
  for (const report::Check& check : result.verification->checks)
    if (check.outcome == "fail" && std::find(kOwn.begin(), kOwn.end(), check.name) != kOwn.end())
      return check.name;
  return "values";
}

bool CanShrink(const report::Result& result) {
  using report::Verdict;
  if (result.verdict == Verdict::kError || result.verdict == Verdict::kCrash) return true;
  return result.verdict == Verdict::kFail && result.verification;
}

// A contender alone, in a worker of its own.
class Alone {
 public:
  Alone(const Settings& settings, const Contender& contender)
      : settings_(settings), contender_(contender) {
    const Host& host = *contender.host;
    contender_.host =
        std::make_shared<Host>(settings, host.plugin_path(), host.device(), host.threads());
  }

  // As `attest verify` judges it; an error where that is not possible.
  report::Result Verify(const Cell& cell, bool explain) {
    Entry entry;
    entry.contender = &contender_;
    entry.plan = ++plan_;
    entry.result.backend = contender_.backend;
    entry.result.variant = contender_.variant;
    try {
      const auto rounding = reference::RoundingOf(*contender_.ContractFor(cell.problem.dtype),
                                                  cell.problem.dtype, cell.problem.op);
      const auto data = MakeCellData(cell, {settings_.threads,
                                            settings_.oracle_budget,
                                            {rounding},
                                            true,
                                            false,
                                            nullptr,
                                            true,
                                            settings_.all_checks});
      Examine(*data, entry, {});
      if (entry.alive) Decide(*data, entry);
      if (explain) Explain(*data, entry);
      Release(entry);
      contender_.host->Leave();
    } catch (const std::system_error& error) {
      Conclude(entry, report::Verdict::kSkipped, error.what());
    }
    return entry.result;
  }

 private:
  const Settings& settings_;
  Contender contender_;
  uint32_t plan_ = 0;
};

class Finder {
 public:
  Finder(const Settings& settings, const Hooks& hooks) : settings_(settings), hooks_(hooks) {
    settings_.timeout_seconds =
        std::min(settings.timeout_seconds, std::max(1.0, settings.shrink_seconds));
  }

  void Find(const Settings& asked, const Contender& contender, const report::CellRecord& record,
            report::Result& result) {
    const Clock clock(spent_);
    const std::string kind = KindOf(result);
    if (FailedInARound(result) && !FailsAlone(contender, record.cell, kind)) return;
    std::vector<Cell>& known = known_[contender.label + " " + kind];
    Shrunk shrunk{record.cell, 0, true};
    const auto same = std::find_if(known.begin(), known.end(), [&](const Cell& cell) {
      return IsReduction(cell, record.cell);
    });
    if (same != known.end())
      shrunk.cell = *same;
    else
      shrunk = Search(contender, record.cell, kind);
    const bool smaller = CellId(shrunk.cell) != record.id;
    if (!smaller && shrunk.minimal) Note(result.reason, result, shrunk, clock);
    if (!smaller) return;
    Alone alone(settings_, contender);
    const report::Result again = alone.Verify(shrunk.cell, true);
    if (!CanShrink(again) || KindOf(again) != kind) return;
    if (same == known.end()) known.push_back(shrunk.cell);
    Note(again.reason, result, shrunk, clock);
    result.reproduce_original = result.reproduce;
    result.reproduce = ReproduceCommand(asked, contender, shrunk.cell, again);
    Confirm(again, result);
  }

  bool IsOver() const {
    return spent_ >= kTotal * settings_.shrink_seconds || (hooks_.stop && hooks_.stop());
  }

 private:
  Shrunk Search(const Contender& contender, const Cell& cell, const std::string& kind) {
    Alone alone(settings_, contender);
    const auto fails = [&](const Cell& smaller) {
      return !(hooks_.stop && hooks_.stop()) && Fails(alone, smaller, kind);
    };
    return Shrink(cell, fails, {settings_.shrink_seconds, ShrinkLimits().tries});
  }

  bool FailsAlone(const Contender& contender, const Cell& cell, const std::string& kind) const {
    Alone alone(settings_, contender);
    return Fails(alone, cell, kind);
  }

  static bool Fails(Alone& alone, const Cell& cell, const std::string& kind) {
    const report::Result result = alone.Verify(cell, false);
    return CanShrink(result) && KindOf(result) == kind;
  }

  static void Note(const std::string& reason, report::Result& result, const Shrunk& shrunk,
                   const Clock& clock) {
    result.smallest = report::Smallest{CellId(shrunk.cell), reason, shrunk.minimal,
                                       static_cast<uint64_t>(shrunk.tries), clock.Elapsed()};
  }

  // Small problems have tight bounds: what explains the result must explain it there, too.
  static void Confirm(const report::Result& smallest, report::Result& result) {
    if (!smallest.verification || !result.verification) return;
    std::string& inferred = result.verification->inferred_contract;
    const std::string confirmed = Confirmed(inferred, smallest.verification->inferred_contract);
    if (confirmed == inferred) return;
    const size_t at = result.reason.rfind(inferred);
    if (at != std::string::npos) result.reason.replace(at, inferred.size(), confirmed);
    inferred = confirmed;
  }

  Settings settings_;  // with a timeout that fits the search
  const Hooks& hooks_;
  std::map<std::string, std::vector<Cell>> known_;  // smallest ones, by label and kind
  double spent_ = 0;
};

}  // namespace

void FindSmallest(const Settings& settings, const Hooks& hooks,
                  const std::vector<Contender>& contenders,
                  std::vector<report::CellRecord>& cells) {
  if (!(settings.shrink_seconds > 0) || !settings.given.empty()) return;
  Finder finder(settings, hooks);
  for (report::CellRecord& record : cells)
    for (report::Result& result : record.results) {
      const auto contender =
          std::find_if(contenders.begin(), contenders.end(),
                       [&](const Contender& c) { return c.label == report::LabelOf(result); });
      if (finder.IsOver() || !CanShrink(result) || contender == contenders.end()) continue;
      finder.Find(settings, *contender, record, result);
    }
}

}  // namespace attest::judge
