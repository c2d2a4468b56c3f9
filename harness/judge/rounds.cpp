// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/rounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "harness/core/inputs.h"
#include "harness/judge/examine.h"
#include "harness/report/statistics.h"

namespace attest::judge {
namespace {

constexpr int kSlowRounds = 3;
// Of examine.cpp, probes aside: where few rounds follow, they take the place of these.
constexpr int kCheckedCalls = 3;
constexpr uint64_t kMostIterations = 1000000;
constexpr double kTellingSeconds = 1e-3;
constexpr double kTellingFlops = 1e6;  // waiting 30 ms for a CPU predicts 30 ns a FLOP at most
// Before each cold call a gigabyte is read, which takes far longer than the call.
constexpr uint64_t kMostColdIterations = 4;
// More than the CPU time between calls, less than one more thread can use.
constexpr double kCpusToSpare = 0.5;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// A permutation that depends on seed, cell and round only.
std::vector<size_t> Shuffled(size_t count, uint64_t seed, uint64_t round) {
  std::vector<size_t> order(count);
  for (size_t i = 0; i < count; ++i) order[i] = i;
  for (size_t i = count; i > 1; --i) std::swap(order[i - 1], order[HashBits(seed, round, i) % i]);
  return order;
}

double CacheEvictionBytes(const Settings& settings) {
  // Twice the largest last-level cache in use today; the worker reads that much before each call.
  return settings.cold_cache ? 0x1p30 : 0;
}

protocol::Measure RoundRequest(const Settings& settings, const CellData& data, const Entry& entry,
                               int set, int round) {
  protocol::Measure request;
  request.plan = entry.plan;
  request.binding = entry.contender->host->BindingOf(data, set, Alignment::kStart);
  request.iterations = entry.iterations;
  request.poison_iteration =
      HashBits(settings.seed, entry.plan, static_cast<uint64_t>(round)) % entry.iterations;
  request.poison_pattern = kPoisons[round % 2];
  request.cold_bytes = CacheEvictionBytes(settings);
  request.warm_up_seconds = entry.warm_up_seconds;
  return request;
}

// One measurement; throws WorkerLost. Absent: the entry is concluded.
std::optional<protocol::MeasureReply> AskMeasure(const Settings& settings, const CellData& data,
                                                 Entry& entry, int set, int round) {
  if (!Prepare(data, entry)) return std::nullopt;
  entry.contender->host->Poison(kPoisons[round % 2]);
  const protocol::Reply reply =
      entry.contender->host->Ask(RoundRequest(settings, data, entry, set, round));
  if (reply.status == "ok") return std::get<protocol::MeasureReply>(reply.body);
  Conclude(entry, report::Verdict::kError, fmt::format("{}: {}", reply.status, reply.message));
  return std::nullopt;
}

void AddSample(Entry& entry, const protocol::MeasureReply& measured) {
  auto& timing = entry.result.timing;
  if (!timing) timing.emplace().device_samples_seconds.emplace();
  timing->timer = measured.timer;
  timing->samples_seconds.push_back(measured.seconds_per_call);
  timing->wall_samples_seconds.push_back(measured.wall_seconds_per_call);
  timing->cpu_samples_seconds.push_back(measured.cpu_seconds_per_call);
  timing->device_samples_seconds->push_back(measured.device_seconds_per_call);
  timing->iterations.push_back(measured.iterations);
  timing->voluntary_switches = timing->voluntary_switches.value_or(0) + measured.voluntary_switches;
  timing->involuntary_switches =
      timing->involuntary_switches.value_or(0) + measured.involuntary_switches;
}

// Checked calls are cold (first touch, lazy set-up): one measurement off the record sets the
// iterations.
void Calibrate(const Settings& settings, const CellData& data, Entry& entry) {
  entry.iterations = 1;
  if (PlanRounds(settings, entry.call_seconds).rounds > kSlowRounds) {
    if (const auto warm = AskMeasure(settings, data, entry, 0, 0))
      entry.call_seconds = std::min(entry.call_seconds, warm->wall_seconds_per_call);
  }
  const Plan plan = PlanRounds(settings, entry.call_seconds);
  entry.rounds = plan.rounds;
  entry.iterations = plan.iterations;
}

bool UsesCpuIn(int round, const std::vector<Entry>& entries) {
  return std::any_of(entries.begin(), entries.end(), [&](const Entry& entry) {
    return entry.alive && round < entry.rounds && entry.contender->device_kind == "cpu";
  });
}

template <typename Step>
void WhileAlive(Entry& entry, Step&& step) {
  if (!entry.alive) return;
  try {
    step();
  } catch (const WorkerLost& lost) {
    Conclude(entry, lost.verdict, lost.what());
  }
}

// Threads that take turns on a CPU wait for each other.
void AddNoiseOfThreads(const Settings& settings, report::Result& result) {
  const auto threads = static_cast<unsigned>(result.threads.value_or(0));
  if (settings.cpus == 0 || threads <= settings.cpus) return;
  report::AddNoise(*result.timing, fmt::format("{0} threads share {1} CPUs: run with --threads {1}",
                                               threads, settings.cpus));
}

}  // namespace

Plan PlanRounds(const Settings& settings, double call_seconds) {
  const double call = std::max(call_seconds, 1e-9);
  if (settings.rounds * std::max(call, settings.min_time_seconds) <= settings.max_cell_seconds) {
    const double calls = std::ceil(settings.min_time_seconds / call);
    const uint64_t most = settings.cold_cache ? kMostColdIterations : kMostIterations;
    return {settings.rounds,
            static_cast<uint64_t>(std::clamp(calls, 1.0, static_cast<double>(most)))};
  }
  return {std::min(settings.rounds, kSlowRounds), 1};
}

void LearnRate(double call_seconds, double flops, Contender& contender) {
  if (call_seconds < kTellingSeconds || flops < kTellingFlops) return;
  const double rate = call_seconds / flops;
  double& known = contender.seconds_per_flop;
  known = known == 0 ? rate : std::min(known, rate);
}

bool HasFewRounds(const Settings& settings, const Contender& contender, const CellData& data) {
  const double call = contender.seconds_per_flop * data.work.flops_unmasked;
  return settings.rounds > kSlowRounds && PlanRounds(settings, call).rounds == kSlowRounds;
}

std::string PredictTooSlow(const Settings& settings, const Contender& contender,
                           const CellData& data) {
  if (contender.seconds_per_flop == 0) return "";
  const double call = contender.seconds_per_flop * data.work.flops_unmasked;
  const int rounds = settings.measure ? std::min(settings.rounds, kSlowRounds) : 0;
  const double checked = (settings.measure ? 0 : kCheckedCalls) +
                         static_cast<double>(data.probe_calls.size()) + data.ExtraCalls();
  const double total = call * (checked + rounds);
  if (total <= settings.max_cell_seconds) return "";
  return fmt::format(
      "predicted {:.3g} s for {:.3g} checked and {} timed calls ({:.3g} s a call at the best rate "
      "seen), more than --max-cell-seconds {:g}",
      total, checked, rounds, call, settings.max_cell_seconds);
}

std::string IgnoresThreads(const Settings& settings, unsigned threads,
                           const report::Timing& timing) {
  const bool keeps = timing.cpus_used.value_or(0) <= threads + kCpusToSpare;
  if (threads >= settings.threads || keeps) return "";
  return fmt::format("it was given {} of {} threads and kept {:.1f} CPUs busy", threads,
                     settings.threads, *timing.cpus_used);
}

double MeasureRounds(const Settings& settings, const Hooks& hooks, const CellData& data,
                     std::vector<Entry>& entries, RoundCeiling& ceiling) {
  double checking = 0;
  if (ceiling.IsOfReads())
    for (Entry& entry : entries) entry.warm_up_seconds = settings.min_time_seconds;
  for (Entry& entry : entries) WhileAlive(entry, [&] { Calibrate(settings, data, entry); });
  const uint64_t shuffle_seed = settings.seed + static_cast<uint64_t>(data.work.flops);
  for (int round = 0; round < settings.rounds && !(hooks.stop && hooks.stop()); ++round) {
    const int set = round % 2;
    for (size_t index : Shuffled(entries.size() + 1, shuffle_seed, static_cast<uint64_t>(round))) {
      if (index == entries.size()) {
        if (UsesCpuIn(round, entries)) ceiling.Sample();
        continue;
      }
      Entry& entry = entries[index];
      if (round >= entry.rounds) continue;
      WhileAlive(entry, [&] {
        const auto measured = AskMeasure(settings, data, entry, set, round);
        const double start = Now();
        if (measured && CheckTimedOutput(data, entry, set, round)) AddSample(entry, *measured);
        checking += Now() - start;
        if (!entry.keep_plan) Release(entry);
      });
    }
  }
  for (Entry& entry : entries) {
    if (!entry.alive || !entry.result.timing) continue;
    report::Summarize(*entry.result.timing);
    AddNoiseOfThreads(settings, entry.result);
    std::string& ignores = entry.contender->ignores_threads;
    ignores = IgnoresThreads(settings, entry.contender->host->threads(), *entry.result.timing);
    if (!ignores.empty()) Conclude(entry, report::Verdict::kUnsupported, ignores);
  }
  return checking;
}

}  // namespace attest::judge
