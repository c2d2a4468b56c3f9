// SPDX-License-Identifier: Apache-2.0
//
// JSON of tools that keep times over commits: bencher, github-action-benchmark, LNT, and Google
// Benchmark's own readers.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "harness/report/export/export.h"
#include "harness/report/export/timed.h"
#include "harness/report/format.h"
#include "harness/report/json.h"
#include "harness/report/statistics.h"

namespace attest::report {
namespace {

using Json = nlohmann::ordered_json;

// bencher takes no longer names.
constexpr size_t kBmfNameLimit = 1024;

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string NameOf(const CellRecord& cell, const Result& result) {
  return OneLine(BenchmarkName(cell.cell, LabelOf(result)));
}

// "2024-05-01 12:00:00", of "2024-05-01T12:00:00+02:00".
std::string SpacedDate(const std::string& date) {
  std::string text = date.substr(0, 19);
  if (text.size() > 10 && text[10] == 'T') text[10] = ' ';
  return text;
}

}  // namespace

std::string ExportBmf(const Report& report) {
  Json root = Json::object();
  ForEachTimed(report, [&](const CellRecord& cell, const Result& result, const Timing& timing) {
    constexpr double kNanoseconds = 1e9;
    const std::vector<double>& samples = timing.samples_seconds;
    root[NameOf(cell, result).substr(0, kBmfNameLimit)]["latency"] = {
        {"value", kNanoseconds * Median(samples)},
        {"lower_value", kNanoseconds * Quantile(samples, 0.2)},
        {"upper_value", kNanoseconds * Quantile(samples, 0.8)}};
  });
  return Dump(root);
}

std::string ExportGha(const Report& report) {
  Json root = Json::array();
  ForEachTimed(report, [&](const CellRecord& cell, const Result& result, const Timing& timing) {
    constexpr double kMilliseconds = 1e3;
    const std::vector<double>& samples = timing.samples_seconds;
    const double half = (Quantile(samples, 0.8) - Quantile(samples, 0.2)) / 2;
    root.push_back({{"name", NameOf(cell, result)},
                    {"unit", "ms"},
                    {"value", kMilliseconds * Median(samples)},
                    {"range", fmt::format("{:.3g}", kMilliseconds * half)},
                    {"extra", fmt::format("{} rounds, verdict {}\n{}", samples.size(),
                                          VerdictName(result.verdict), report.machine.slug)}});
  });
  return Dump(root);
}

std::string ExportLnt(const Report& report) {
  Json root = {{"format_version", "2"}};
  root["machine"] = {{"name", report.machine.slug},
                     {"hardware", report.machine.cpu.model},
                     {"os", report.machine.os}};
  root["run"] = {{"start_time", SpacedDate(report.date)},
                 {"end_time", SpacedDate(report.date)},
                 {"llvm_project_revision", report.build.commit},
                 {"compiler", report.build.compiler},
                 {"threads", std::to_string(report.policy.threads)}};
  root["tests"] = Json::array();
  ForEachTimed(report, [&](const CellRecord& cell, const Result& result, const Timing& timing) {
    Json test = {{"name", NameOf(cell, result)}, {"execution_time", timing.samples_seconds}};
    if (result.peak_memory_bytes)
      test["mem_bytes"] = static_cast<double>(*result.peak_memory_bytes);
    root["tests"].push_back(std::move(test));
  });
  return Dump(root);
}

std::string ExportGbench(const Report& report) {
  Json root = Json::parse(WriteJson(report));
  root.erase("attest");
  for (Json& row : root["benchmarks"]) row.erase("attest");
  return Dump(root);
}

}  // namespace attest::report
