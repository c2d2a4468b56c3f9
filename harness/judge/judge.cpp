// SPDX-License-Identifier: Apache-2.0
//
// The sweep: cell by cell, inputs and answers once, then every contender checked, then the right
// ones timed.
#include "harness/judge/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <system_error>

#include "harness/core/memory.h"
#include "harness/judge/backends.h"
#include "harness/judge/ceilings.h"
#include "harness/judge/deviation.h"
#include "harness/judge/examine.h"
#include "harness/judge/explain.h"
#include "harness/judge/reproduce.h"
#include "harness/judge/round_ceiling.h"
#include "harness/judge/rounds.h"
#include "harness/judge/smallest.h"
#include "harness/report/scaling.h"
#include "harness/report/statistics.h"

namespace attest::judge {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Roundings of the entries' contracts, each once; notes which is whose.
std::vector<reference::Rounding> CollectRoundings(std::vector<Entry>& entries,
                                                  const attest_problem& problem) {
  std::vector<reference::Rounding> roundings;
  for (Entry& entry : entries) {
    if (!entry.alive) continue;
    const auto rounding = reference::RoundingOf(*entry.contender->ContractFor(problem.dtype),
                                                problem.dtype, problem.op);
    const auto found = std::find(roundings.begin(), roundings.end(), rounding);
    entry.rounding = static_cast<size_t>(found - roundings.begin());
    if (found == roundings.end()) roundings.push_back(rounding);
  }
  return roundings;
}

class Sweep {
 public:
  Sweep(const Settings& settings, const Hooks& hooks)
      : settings_(settings), hooks_(hooks), round_ceiling_(settings) {}

  Outcome Run() {
    start_ = Now();
    field_ = Assemble(settings_, hooks_);
    if (settings_.measure && !field_.contenders.empty())
      outcome_.ceilings = MeasureCeilings(settings_, field_);
    sweep_start_ = Now();
    for (size_t i = 0; i < settings_.cells.size() && !field_.contenders.empty(); ++i) {
      if (Stopped()) break;
      report::CellRecord record = RunCell(i);
      if (Stopped() && settings_.measure) break;  // its rounds were cut short
      if (hooks_.cell_finished) hooks_.cell_finished(record);
      outcome_.cells.push_back(std::move(record));
    }
    outcome_.interrupted = Stopped();
    if (settings_.measure && !Stopped()) RateAgain();
    const double start = Now();
    if (!Stopped()) FindSmallest(settings_, hooks_, field_.contenders, outcome_.cells);
    verification_seconds_ += Now() - start;
    outcome_.backends = std::move(field_.backends);
    outcome_.duration_seconds = Now() - start_;
    outcome_.verification_seconds = verification_seconds_;
    return std::move(outcome_);
  }

 private:
  bool Stopped() const { return hooks_.stop && hooks_.stop(); }

  void Report(size_t cell, const std::string& label) {
    if (!hooks_.progress) return;
    Progress progress;
    progress.cell = cell;
    progress.cells = settings_.cells.size();
    progress.cell_id = CellId(settings_.cells[cell]);
    progress.label = label;
    progress.elapsed_seconds = Now() - start_;
    if (cell > 0)
      progress.remaining_seconds = (Now() - sweep_start_) / static_cast<double>(cell) *
                                   static_cast<double>(progress.cells - cell);
    hooks_.progress(progress);
  }

  std::vector<Entry> MakeEntries(const Cell& cell) {
    std::vector<Entry> entries;
    for (Contender& contender : field_.contenders) {
      Entry entry;
      entry.contender = &contender;
      entry.plan = static_cast<uint32_t>(entries.size() + 1);
      entry.result.backend = contender.backend;
      entry.result.variant = contender.variant;
      entry.result.device = contender.host->device();
      if (contender.device_kind == "cpu")
        entry.result.threads = static_cast<int>(contender.host->threads());
      if (contender.ContractFor(cell.problem.dtype) == nullptr)
        Conclude(entry, report::Verdict::kUnsupported,
                 fmt::format("{} has no {}", contender.label, DtypeName(cell.problem.dtype)));
      else if (!contender.ignores_threads.empty())
        Conclude(entry, report::Verdict::kUnsupported, contender.ignores_threads);
      entries.push_back(std::move(entry));
    }
    return entries;
  }

  report::CellRecord RunCell(size_t index) {
    const Cell& cell = settings_.cells[index];
    report::CellRecord record;
    record.id = CellId(cell);
    record.cell = cell;
    record.rows_total = reference::RowCount(cell.problem);
    std::vector<Entry> entries = MakeEntries(cell);
    Report(index, "");
    bool alike = false;
    try {
      const double start = Now();
      const double available = AvailableMemoryBytes();
      // Measuring alternates between two sets; checking can do with one.
      const bool single =
          !settings_.measure && available > 0 && SharedBytes(cell, CountHosts(), false) > available;
      RequireMemory(SharedBytes(cell, CountHosts(), single), available);
      const Given* given = settings_.given.empty() ? nullptr : &settings_.given.at(index);
      CellDataOptions options{settings_.threads,
                              settings_.oracle_budget,
                              CollectRoundings(entries, cell.problem),
                              true,
                              RoundsFollow(),
                              given,
                              true,
                              settings_.all_checks};
      options.plain = settings_.compare_rules && cell.problem.op == ATTEST_OP_SDPA;
      options.single_set = single;
      const auto data = MakeCellData(cell, options);
      verification_seconds_ += Now() - start;
      record.flops = data->work.flops;
      record.flops_unmasked = data->work.flops_unmasked;
      record.bytes_min = data->work.bytes_min;
      record.rows_checked = static_cast<int64_t>(data->answers[0].rows.size());
      round_ceiling_.Begin(record, FindCeiling("cpu"));
      JudgeEntries(index, *data, entries);
      record.ceiling = round_ceiling_.End();
      Finish(*data, entries);
      alike = DeviateAlike(*data, entries);
    } catch (const std::system_error& error) {
      SkipAll(entries, error.what());
    } catch (const std::bad_alloc&) {
      SkipAll(
          entries,
          "not enough memory for the reference: choose smaller sizes or a smaller oracle budget");
    }
    for (Entry& entry : entries) record.results.push_back(Conclusion(record, entry));
    report::NoteScaling(record.results);
    record.agreement = DescribeAgreement(record.results, alike);
    return record;
  }

  size_t CountHosts() const {
    std::vector<const Host*> hosts;
    for (const Contender& contender : field_.contenders) hosts.push_back(contender.host.get());
    std::sort(hosts.begin(), hosts.end());
    return static_cast<size_t>(std::unique(hosts.begin(), hosts.end()) - hosts.begin());
  }

  static void RequireMemory(double needed, double available) {
    if (available > 0 && needed > available)
      throw std::system_error(
          std::make_error_code(std::errc::not_enough_memory),
          fmt::format("the cell's tensors need {:.0f} bytes, {:.0f} are available", needed,
                      available));
  }

  void SkipAll(std::vector<Entry>& entries, const std::string& reason) {
    for (Entry& entry : entries)
      if (entry.alive) Conclude(entry, report::Verdict::kSkipped, reason);
    for (Entry& entry : entries) entry.contender->host->Leave();
  }

  void JudgeEntries(size_t index, const CellData& data, std::vector<Entry>& entries) {
    for (Entry& entry : entries) {
      if (!entry.alive || Stopped()) continue;
      if (const std::string reason = PredictTooSlow(settings_, *entry.contender, data);
          !reason.empty()) {
        Conclude(entry, report::Verdict::kSkipped, reason);
        continue;
      }
      Report(index, entry.contender->label);
      const double start = Now();
      Examine(data, entry, {FollowOf(*entry.contender, data), settings_.every_check});
      Explain(data, entry);
      // Making the plan (a driver compiles for seconds) is what measuring needs, too.
      verification_seconds_ += Now() - start - entry.result.setup_seconds.value_or(0);
    }
    KeepPlansThatFit(entries);
    Report(index, "rounds");
    if (settings_.measure)
      verification_seconds_ += MeasureRounds(settings_, hooks_, data, entries, round_ceiling_);
    for (Entry& entry : entries)
      if (entry.alive) Decide(data, entry);
    const double start = Now();
    for (Entry& entry : entries) {
      entry.last_set = -1;  // others may have run since
      Explain(data, entry);
    }
    verification_seconds_ += Now() - start;
  }

  // A single round could stand for neither the rerun nor the second set.
  bool RoundsFollow() const { return settings_.measure && settings_.rounds > 1; }

  Follow FollowOf(const Contender& contender, const CellData& data) const {
    if (!RoundsFollow()) return Follow::kNothing;
    return HasFewRounds(settings_, contender, data) ? Follow::kFewRounds : Follow::kRounds;
  }

  // Plans of one cell live side by side only while their workspaces fit into half of the free
  // memory.
  static void KeepPlansThatFit(std::vector<Entry>& entries) {
    double bytes = 0;
    for (const Entry& entry : entries)
      if (entry.prepared) bytes += static_cast<double>(entry.result.workspace_bytes.value_or(0));
    const bool fit = bytes <= AvailableMemoryBytes() / 2;
    for (Entry& entry : entries) {
      entry.keep_plan = fit;
      if (!fit) Release(entry);
    }
  }

  void Finish(const CellData& data, std::vector<Entry>& entries) {
    for (Entry& entry : entries) {
      Release(entry);
      entry.contender->host->Leave();
      if (entry.alive) LearnRate(entry.call_seconds, data.work.flops_unmasked, *entry.contender);
    }
  }

  report::Result Conclusion(const report::CellRecord& record, Entry& entry) {
    report::Result& result = entry.result;
    if (result.timing && result.timing->samples_seconds.empty()) result.timing.reset();
    if (result.timing && result.timing->median_seconds > 0)
      result.rates = report::RatesOf(record, *result.timing, CeilingOf(record, entry));
    if (report::IsFailure(result.verdict))
      result.reproduce = ReproduceCommand(settings_, *entry.contender, record.cell, result);
    return std::move(result);
  }

  // Against ceilings that were measured before and after the sweep.
  void RateAgain() {
    RaiseCpuCeilings(settings_, outcome_.ceilings);
    for (report::CellRecord& cell : outcome_.cells)
      for (report::Result& result : cell.results)
        if (result.rates)
          result.rates = report::RatesOf(cell, *result.timing, FindCeiling(result.rates->ceiling));
  }

  const report::Ceiling* CeilingOf(const report::CellRecord& record, const Entry& entry) {
    const bool cpu = entry.contender->device_kind == "cpu";
    const unsigned threads = entry.contender->host->threads();
    const std::string device =
        cpu ? CpuCeilingName(settings_, threads) : DeviceLabel(*entry.contender);
    const report::Ceiling* found = FindCeiling(device);
    if (!cpu || found == nullptr || settings_.cold_cache || !report::MemoryBound(record, found))
      return found;
    if (report::HasSamplesOf(*found, record)) return found;  // at this footprint, in every round
    // What is read again and again from a cache is held against reads from that cache.
    const auto footprint = static_cast<uint64_t>(record.bytes_min);
    if (footprint >= found->footprint_bytes) return found;
    const std::string name = fmt::format("{}/{}-bytes", device, footprint);
    if (FindCeiling(name) == nullptr)
      if (auto ceiling = MeasureCpuCeiling(settings_, name, threads, footprint))
        outcome_.ceilings.push_back(*ceiling);
    return FindCeiling(name);
  }

  const report::Ceiling* FindCeiling(const std::string& name) const {
    for (const report::Ceiling& ceiling : outcome_.ceilings)
      if (ceiling.name == name) return &ceiling;
    return nullptr;
  }

  const Settings& settings_;
  const Hooks& hooks_;
  Field field_;
  RoundCeiling round_ceiling_;
  Outcome outcome_;
  double start_ = 0, sweep_start_ = 0, verification_seconds_ = 0;
};

}  // namespace

std::vector<report::Backend> ListBackends(const Settings& settings, const Hooks& hooks) {
  return Assemble(settings, hooks).backends;
}

Outcome RunSweep(const Settings& settings, const Hooks& hooks) {
  return Sweep(settings, hooks).Run();
}

}  // namespace attest::judge
