// SPDX-License-Identifier: Apache-2.0
//
// The report's top level: Google Benchmark's context and rows, and our part beside them. The keys,
// their order and their meaning of the first two follow Google Benchmark 1.8's JSON reporter.
#include <fmt/format.h>

#include <stdexcept>

#include "harness/report/json.h"
#include "harness/report/json_writer.h"

namespace attest::report {
namespace {

constexpr double kNanosecondsPerSecond = 1e9;

// Turbo or any governor but "performance" lets the frequency move, which that reader calls scaling.
bool ScalingEnabled(const Frequency& frequency) {
  return !frequency.governor.empty() && frequency.governor != "performance" &&
         frequency.governor != "unknown";
}

Json ContextJson(const Report& report) {
  const Machine& machine = report.machine;
  Json context = Json::object();
  context["date"] = report.date;
  context["host_name"] = machine.host_name;
  context["executable"] = report.policy.executable;
  context["num_cpus"] = machine.cpu.threads;
  context["mhz_per_cpu"] = static_cast<int64_t>(machine.cpu.mhz + 0.5);
  context["cpu_scaling_enabled"] = ScalingEnabled(machine.frequency);
  Put(context, "caches", machine.cpu.caches);
  context["load_avg"] = machine.load_average;
  context["library_version"] = report.build.version;
  context["library_build_type"] = report.build.build_type == "Debug" ? "debug" : "release";
  context["json_schema_version"] = 1;
  return context;
}

void CheckLengths(const CellRecord& cell, const Result& result) {
  const Timing& timing = *result.timing;
  const size_t rounds = timing.samples_seconds.size();
  if (timing.cpu_samples_seconds.size() != rounds || timing.iterations.size() != rounds)
    throw std::invalid_argument(fmt::format(
        "{} on {}: {} samples, but {} CPU times and {} iteration counts", LabelOf(result), cell.id,
        rounds, timing.cpu_samples_seconds.size(), timing.iterations.size()));
}

Json RowJson(const Report& report, const CellRecord& cell, const Result& result, size_t family,
             size_t round) {
  const std::string label = LabelOf(result);
  const std::string name = BenchmarkName(cell.cell, label) + "/real_time";
  Json row = Json::object();
  row["name"] = name;
  row["family_index"] = family;
  row["per_family_instance_index"] = 0;
  row["run_name"] = name;
  row["run_type"] = "iteration";
  row["repetitions"] = result.timing->samples_seconds.size();
  row["repetition_index"] = round;
  row["threads"] = result.threads.value_or(report.policy.threads);
  row["iterations"] = result.timing->iterations[round];
  row["real_time"] = result.timing->samples_seconds[round] * kNanosecondsPerSecond;
  row["cpu_time"] = result.timing->cpu_samples_seconds[round] * kNanosecondsPerSecond;
  row["time_unit"] = "ns";
  row["attest"] = {{"cell", cell.id},
                   {"label", label},
                   {"verdict", VerdictName(result.verdict)},
                   {"timer", result.timing->timer}};
  return row;
}

Json BenchmarksJson(const Report& report) {
  Json rows = Json::array();
  size_t family = 0;
  for (const CellRecord& cell : report.cells) {
    for (const Result& result : cell.results) {
      if (!IsVerified(result.verdict) || !result.timing) continue;
      CheckLengths(cell, result);
      for (size_t round = 0; round < result.timing->samples_seconds.size(); ++round)
        rows.push_back(RowJson(report, cell, result, family, round));
      ++family;
    }
  }
  return rows;
}

Json CountsJson(const std::array<uint64_t, kVerdictCount>& counts) {
  Json object = Json::object();
  for (int i = 0; i < kVerdictCount; ++i)
    object[std::string(VerdictName(static_cast<Verdict>(i)))] = counts[static_cast<size_t>(i)];
  return object;
}

Json SummaryJson(const Summary& summary) {
  Json object = Json::object();
  object["cells"] = summary.cells;
  object["results"] = summary.results;
  object["verified"] = summary.verified;
  object["failed"] = summary.failed;
  object["verdicts"] = CountsJson(summary.counts);
  object["backends"] = Json::object();
  for (const VerdictCounts& counts : summary.per_label)
    object["backends"][counts.label] = CountsJson(counts.counts);
  Put(object, "duration_seconds", summary.duration_seconds);
  Put(object, "verification_seconds", summary.verification_seconds);
  return object;
}

Json AttestJson(const Report& report) {
  Json object = Json::object();
  object["schema_version"] = kSchemaVersion;
  object["complete"] = report.complete;
  Put(object, "machine", report.machine);
  Put(object, "build", report.build);
  Put(object, "policy", report.policy);
  object["ceilings"] = Json::object();
  for (const Ceiling& ceiling : report.ceilings) object["ceilings"][ceiling.name] = ToJson(ceiling);
  Put(object, "backends", report.backends);
  Put(object, "cells", report.cells);
  if (!report.studies.empty()) Put(object, "studies", report.studies);
  object["summary"] = SummaryJson(report.summary);
  return object;
}

}  // namespace

std::string WriteJson(const Report& report) {
  Json root = Json::object();
  root["context"] = ContextJson(report);
  root["benchmarks"] = BenchmarksJson(report);
  root["attest"] = AttestJson(report);
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace attest::report
