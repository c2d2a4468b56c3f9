// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/settings.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <thread>

#include "harness/cli/paths.h"
#include "harness/core/memory.h"
#include "harness/core/shard.h"
#include "harness/core/suites.h"
#include "harness/core/threads.h"
#include "harness/judge/cell_data.h"
#include "harness/judge/contender.h"

namespace attest::cli {
namespace {

// Of workers; without the option it stays as the user has set it.
judge::Environment TuningOf(const std::string& tune) {
  if (tune.empty()) return {};
  if (tune == "kept") return {{"ATTEST_TUNE", std::nullopt}};
  return {{"ATTEST_TUNE", tune == "missing" ? "1" : "0"}};
}

}  // namespace

unsigned AllowedCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Fails on machines with more CPUs than the set holds.
  if (sched_getaffinity(0, sizeof set, &set) != 0)
    return std::max(1U, std::thread::hardware_concurrency());
  return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
}

std::vector<Cell> CellsOf(const RunOptions& options) {
  const Shard shard = ParseShard(options.shard);
  return CellsOfShard(
      ExpandSweep(FindSuite(options.suite).blocks, GivenAxes(options), options.seed), shard);
}

judge::Settings SettingsOf(const RunOptions& options, bool measure) {
  judge::Settings settings;
  settings.worker_path = WorkerPath();
  settings.plugins = FindPlugins(PluginDirectories(options.backend_paths), options.isa);
  settings.patterns = options.backends;
  settings.with_peers = FindSuite(options.suite).with_peers;
  settings.cells = CellsOf(options);
  settings.seed = options.seed;
  settings.cpus = AllowedCpus();
  const ThreadCounts threads = ParseThreads(options.threads, settings.cpus);
  settings.threads = threads.most;
  settings.fewer_threads = threads.fewer;
  settings.fixed_threads = !options.threads.empty();
  settings.backend_paths = options.backend_paths;
  settings.shrink_seconds = options.shrink_seconds;
  settings.rounds = options.rounds;
  settings.min_time_seconds = options.min_time_seconds;
  settings.timeout_seconds = options.timeout_seconds;
  settings.max_cell_seconds = options.max_cell_seconds;
  settings.measure = measure;
  settings.all_checks = options.checks.empty() ? !measure : options.checks == "all";
  settings.cache_directory = CacheDirectory();
  settings.environment = TuningOf(options.tune);
  settings.cold_cache = options.cache == "cold";
  settings.compare_rules = options.compare_rules;
  return settings;
}

report::Policy PolicyOf(const RunOptions& options, const judge::Settings& settings) {
  report::Policy policy;
  policy.argv = Arguments();
  policy.executable = ExecutablePath();
  policy.suite = options.suite;
  for (const auto& [name, text] : GivenAxes(options)) policy.axes.emplace_back(name, text);
  policy.backends = options.backends;
  policy.backend_paths = options.backend_paths;
  policy.require = options.require;
  policy.baseline = options.baseline;
  policy.seed = options.seed;
  policy.rounds = settings.rounds;
  policy.min_time_seconds = settings.min_time_seconds;
  policy.threads = static_cast<int>(settings.threads);
  policy.fewer_threads.assign(settings.fewer_threads.begin(), settings.fewer_threads.end());
  if (const auto data = options.axes.find("data");
      data != options.axes.end() && !data->second.empty())
    policy.data = data->second;
  policy.timeout_seconds = settings.timeout_seconds;
  policy.max_cell_seconds = settings.max_cell_seconds;
  policy.shrink_seconds = settings.shrink_seconds;
  policy.oracle_budget = settings.oracle_budget;
  policy.cache = options.cache;
  policy.warm_up_calls = settings.cold_cache ? 0 : 1;  // harness/worker/measure.cpp
  policy.warm_up_seconds = settings.cold_cache ? 0 : settings.min_time_seconds;
  policy.isa = options.isa;
  policy.tune = options.tune;
  policy.shard = options.shard;
  policy.verify_only = !settings.measure;
  policy.checks = settings.all_checks ? "all" : "quick";
  policy.compare_rules = settings.compare_rules;
  return policy;
}

void RequireMemory(const std::vector<Cell>& cells, bool measure) {
  const double available = AvailableMemoryBytes();
  double needed = 0;
  const Cell* largest = nullptr;
  for (const Cell& cell : cells)
    if (const double bytes = judge::SharedBytes(cell, 1, !measure); bytes > needed) {
      needed = bytes;
      largest = &cell;
    }
  if (available > 0 && needed > available)
    throw std::invalid_argument(fmt::format(
        "{} does not fit in memory: its tensors need {:.0f} bytes, {:.0f} are available; "
        "choose smaller sizes",
        CellId(*largest), needed, available));
}

}  // namespace attest::cli
