// SPDX-License-Identifier: Apache-2.0
#include "harness/report/compare/comparable.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <set>

#include "harness/core/names.h"
#include "harness/report/format.h"

namespace attest::report {
namespace {

// A ceiling that moved by more is worth a remark.
constexpr double kCeilingChange = 0.05;

class Lines {
 public:
  template <class Value>
  void Compare(const std::string& what, const Value& before, const Value& after) {
    if (before != after) lines_.push_back(fmt::format("{}: {}, then {}", what, before, after));
  }
  void Compare(const std::string& what, const std::string& before, const std::string& after) {
    if (before != after)
      lines_.push_back(fmt::format("{}: '{}', then '{}'", what, OneLine(before), OneLine(after)));
  }
  std::vector<std::string> Take() { return std::move(lines_); }

 private:
  std::vector<std::string> lines_;
};

std::string GpuNames(const Machine& machine) {
  std::vector<std::string> names;
  for (const Gpu& gpu : machine.gpus) names.push_back(gpu.name + " " + gpu.driver);
  return fmt::format("{}", fmt::join(names, ", "));
}

void CompareMachines(const Machine& before, const Machine& after, Lines& lines) {
  lines.Compare("machine", before.slug, after.slug);
  lines.Compare("processor", before.cpu.model, after.cpu.model);
  lines.Compare("hardware threads", before.cpu.threads, after.cpu.threads);
  lines.Compare("CPUs it may use", before.limits.affinity.size(), after.limits.affinity.size());
  lines.Compare("CPU quota", before.limits.cpu_quota.value_or(0),
                after.limits.cpu_quota.value_or(0));
  lines.Compare("virtualization", before.virtualization, after.virtualization);
  lines.Compare("governor", before.frequency.governor, after.frequency.governor);
  lines.Compare("turbo", before.frequency.turbo, after.frequency.turbo);
  lines.Compare("GPUs", GpuNames(before), GpuNames(after));
}

void ComparePolicies(const Policy& before, const Policy& after, Lines& lines) {
  lines.Compare("--threads", before.threads, after.threads);
  lines.Compare("--rounds", before.rounds, after.rounds);
  lines.Compare("--min-time", before.min_time_seconds, after.min_time_seconds);
  lines.Compare("--cache", before.cache, after.cache);
  lines.Compare("untimed calls before a warm round", before.warm_up_calls, after.warm_up_calls);
  lines.Compare("untimed seconds before a round of reads", before.warm_up_seconds,
                after.warm_up_seconds);
  lines.Compare("--isa", before.isa, after.isa);
  lines.Compare("--tune", before.tune, after.tune);
  lines.Compare("--data", before.data, after.data);
  lines.Compare("--seed", before.seed, after.seed);
  lines.Compare("verified only", before.verify_only, after.verify_only);
}

std::string Dtypes(const Report& report) {
  std::set<std::string_view> dtypes;
  for (const CellRecord& cell : report.cells) dtypes.insert(DtypeName(cell.cell.problem.dtype));
  return fmt::format("{}", fmt::join(dtypes, ", "));
}

void CompareBackends(const Report& before, const Report& after, Lines& lines) {
  for (const Backend& was : before.backends)
    for (const Backend& is : after.backends) {
      const bool both = was.state == BackendState::kLoaded && is.state == BackendState::kLoaded;
      if (was.name != is.name || !both) continue;
      lines.Compare(was.name + " library", was.library + " " + was.library_version,
                    is.library + " " + is.library_version);
      for (const Device& old_device : was.devices)
        for (const Device& new_device : is.devices)
          if (old_device.index == new_device.index)
            lines.Compare(fmt::format("{} device {}", was.name, old_device.index),
                          old_device.name + " " + old_device.driver,
                          new_device.name + " " + new_device.driver);
    }
}

void RemarkCeiling(const std::string& what, double before, double after,
                   std::vector<std::string>& remarks) {
  if (!(before > 0 && after > 0)) return;
  const double change = after / before - 1;
  if (std::fabs(change) > kCeilingChange)
    remarks.push_back(fmt::format("measured beside: {} changed by {:+.1f} %", what, 100 * change));
}

}  // namespace

std::vector<std::string> Differences(const Report& before, const Report& after) {
  Lines lines;
  CompareMachines(before.machine, after.machine, lines);
  ComparePolicies(before.policy, after.policy, lines);
  lines.Compare("io types", Dtypes(before), Dtypes(after));
  CompareBackends(before, after, lines);
  return lines.Take();
}

std::vector<std::string> Remarks(const Report& before, const Report& after) {
  std::vector<std::string> remarks;
  if (!before.complete) remarks.push_back("the old run was interrupted");
  if (!after.complete) remarks.push_back("the new run was interrupted");
  for (const Ceiling& was : before.ceilings)
    for (const Ceiling& is : after.ceilings) {
      if (was.name != is.name) continue;
      RemarkCeiling(was.name + " arithmetic", was.f32_fma_flops, is.f32_fma_flops, remarks);
      RemarkCeiling(was.name + " reading", was.read_bytes_per_second, is.read_bytes_per_second,
                    remarks);
    }
  return remarks;
}

}  // namespace attest::report
