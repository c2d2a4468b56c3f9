// SPDX-License-Identifier: Apache-2.0
#include "harness/report/merge.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <stdexcept>

#include "harness/core/shard.h"
#include "harness/report/json.h"

namespace attest::report {
namespace {

bool IsSameMachine(const Report& a, const Report& b) {
  return a.machine.slug == b.machine.slug && a.machine.cpu.model == b.machine.cpu.model;
}

// What may differ between parts, made equal.
std::string ComparablePolicy(const Report& report, bool same_machine) {
  Policy policy = report.policy;
  const bool whole = policy.shard.empty();
  policy.argv.clear();
  policy.executable.clear();
  policy.shard.clear();
  policy.backends.clear();
  policy.backend_paths.clear();
  policy.require.clear();
  if (whole) {  // shards are of one sweep, others may add to it
    policy.suite.clear();
    policy.axes.clear();
    policy.fewer_threads.clear();
  }
  if (!same_machine) {
    policy.threads = 0;
    policy.fewer_threads.clear();
  }
  return WritePolicyJson(policy);
}

void RequireSameWay(const std::vector<Report>& reports) {
  for (const Report& report : reports) {
    const Report& first = reports.front();
    const bool same = IsSameMachine(first, report);
    const std::string was = ComparablePolicy(first, same), is = ComparablePolicy(report, same);
    if (was != is)
      throw std::invalid_argument(
          fmt::format("the reports were measured in different ways; --force merges them all the "
                      "same\n  {}\n  {}",
                      was, is));
    if (report.build.commit != first.build.commit)
      throw std::invalid_argument(fmt::format(
          "the reports are of different commits, {} and {}; --force merges them all the same",
          first.build.commit, report.build.commit));
  }
}

void RequireAllShards(const std::vector<Report>& reports) {
  std::map<size_t, size_t> seen;
  size_t count = 1;
  for (const Report& report : reports) {
    const Shard shard = ParseShard(report.policy.shard);
    count = std::max(count, shard.count);
    if (!report.policy.shard.empty()) ++seen[shard.index];
  }
  if (seen.empty()) return;
  std::vector<std::string> missing, twice;
  for (size_t index = 1; index <= count; ++index) {
    const size_t times = seen.count(index) ? seen[index] : 0;
    if (times == 0) missing.push_back(fmt::format("{}/{}", index, count));
    if (times > 1) twice.push_back(fmt::format("{}/{}", index, count));
  }
  if (!missing.empty())
    throw std::invalid_argument(fmt::format("shards are missing: {}; --force merges without them",
                                            fmt::join(missing, ", ")));
  if (!twice.empty())
    throw std::invalid_argument(
        fmt::format("given more than once: shard {}", fmt::join(twice, ", ")));
}

void NameAfterMachine(Report& report) {
  const auto rename = [&](std::string& name) { name = report.machine.slug + "." + name; };
  for (CellRecord& cell : report.cells)
    for (Result& result : cell.results) rename(result.backend);
  for (Backend& backend : report.backends) rename(backend.name);
  for (Ceiling& ceiling : report.ceilings) rename(ceiling.name);
  for (Study& study : report.studies) rename(study.backend);
}

// A shard holds every n-th cell: one of each in turn is the order of the whole.
std::vector<CellRecord> InOrder(std::vector<Report>& reports) {
  std::stable_sort(reports.begin(), reports.end(), [](const Report& a, const Report& b) {
    return ParseShard(a.policy.shard).index < ParseShard(b.policy.shard).index;
  });
  const bool sharded = !reports.front().policy.shard.empty();
  std::vector<CellRecord> cells;
  size_t longest = 0;
  for (const Report& report : reports) longest = std::max(longest, report.cells.size());
  if (sharded)
    for (size_t i = 0; i < longest; ++i) {
      for (Report& report : reports)
        if (i < report.cells.size()) cells.push_back(std::move(report.cells[i]));
    }
  else
    for (Report& report : reports)
      for (CellRecord& cell : report.cells) cells.push_back(std::move(cell));
  return cells;
}

void AddResults(CellRecord& cell, CellRecord& from) {
  for (Result& result : from.results) {
    for (const Result& known : cell.results)
      if (LabelOf(known) == LabelOf(result))
        throw std::invalid_argument(fmt::format("two reports hold {} on {}: which one is meant?",
                                                LabelOf(result), cell.id));
    cell.results.push_back(std::move(result));
  }
  cell.ceiling.reset();  // its rounds are those of some results only; their fractions are noted
}

std::vector<CellRecord> Unite(std::vector<CellRecord> all) {
  std::vector<CellRecord> cells;
  std::map<std::string, size_t> known;
  for (CellRecord& cell : all) {
    const auto [found, is_new] = known.try_emplace(cell.id, cells.size());
    if (is_new)
      cells.push_back(std::move(cell));
    else
      AddResults(cells[found->second], cell);
  }
  return cells;
}

// The first of each name; one that was loaded rather than one that was not.
void AddBackends(const Report& report, std::vector<Backend>& backends) {
  for (const Backend& backend : report.backends) {
    const auto known = std::find_if(backends.begin(), backends.end(), [&](const Backend& other) {
      return other.name == backend.name;
    });
    if (known == backends.end())
      backends.push_back(backend);
    else if (known->state != BackendState::kLoaded && backend.state == BackendState::kLoaded)
      *known = backend;
  }
}

void AddCeilings(const Report& report, std::vector<Ceiling>& ceilings) {
  for (const Ceiling& ceiling : report.ceilings)
    if (std::none_of(ceilings.begin(), ceilings.end(),
                     [&](const Ceiling& other) { return other.name == ceiling.name; }))
      ceilings.push_back(ceiling);
}

}  // namespace

Report Merge(std::vector<Report> reports, bool force) {
  if (reports.empty()) throw std::invalid_argument("no report to merge");
  if (!force) {
    RequireSameWay(reports);
    RequireAllShards(reports);
  }
  const bool several = std::any_of(reports.begin(), reports.end(), [&](const Report& report) {
    return !IsSameMachine(report, reports.front());
  });
  if (several)
    for (Report& report : reports) NameAfterMachine(report);
  std::vector<CellRecord> cells = Unite(InOrder(reports));
  Report merged = reports.front();
  merged.cells = std::move(cells);
  merged.policy.shard.clear();
  merged.summary = {};
  merged.backends.clear();
  merged.ceilings.clear();
  merged.studies.clear();
  for (const Report& report : reports) {
    AddBackends(report, merged.backends);
    AddCeilings(report, merged.ceilings);
    merged.studies.insert(merged.studies.end(), report.studies.begin(), report.studies.end());
    merged.date = std::min(merged.date, report.date);
    merged.complete = merged.complete && report.complete;
    merged.summary.duration_seconds += report.summary.duration_seconds;
    merged.summary.verification_seconds += report.summary.verification_seconds;
  }
  Summarize(merged.cells, merged.summary);
  return merged;
}

}  // namespace attest::report
