// SPDX-License-Identifier: Apache-2.0
//
// Prometheus' text format: prometheus.io/docs/instrumenting/exposition_formats. Each metric's lines
// stand together, each with its HELP and TYPE.
#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <optional>

#include "harness/report/export/export.h"
#include "harness/report/export/timed.h"
#include "harness/report/statistics.h"

namespace attest::report {
namespace {

std::string Value(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

std::string Escape(const std::string& text) {
  std::string escaped;
  for (char letter : text) {
    if (letter == '\n')
      escaped += "\\n";
    else if (letter == '\\' || letter == '"')
      escaped += {'\\', letter};
    else
      escaped += letter;
  }
  return escaped;
}

std::string Labels(const Report& report, const CellRecord& cell, const Result& result) {
  return fmt::format(R"(machine="{}",cell="{}",backend="{}",variant="{}",device="{}",dtype="{}")",
                     Escape(report.machine.slug), Escape(cell.id), Escape(result.backend),
                     Escape(result.variant), result.device, DtypeName(cell.cell.problem.dtype));
}

using Measure = std::function<std::optional<double>(const CellRecord&, const Result&)>;

// No line, no head: an empty metric is none.
std::string Metric(const Report& report, const std::string& name, const std::string& help,
                   const Measure& measure) {
  std::string lines;
  for (const CellRecord& cell : report.cells)
    for (const Result& result : cell.results)
      if (const std::optional<double> value = measure(cell, result))
        lines += fmt::format("{}{{{}}} {}\n", name, Labels(report, cell, result), Value(*value));
  if (lines.empty()) return "";
  return fmt::format("# HELP {} {}\n# TYPE {} gauge\n{}", name, help, name, lines);
}

Measure AtQuantile(double p) {
  return [p](const CellRecord&, const Result& result) -> std::optional<double> {
    const Timing* timing = TimingOf(result);
    if (!timing) return std::nullopt;
    return Quantile(timing->samples_seconds, p);
  };
}

}  // namespace

std::string ExportPrometheus(const Report& report) {
  std::string text =
      Metric(report, "attest_time_seconds", "Median time of a verified call.", AtQuantile(0.5));
  text += Metric(report, "attest_time_p20_seconds", "20th percentile of a verified call's time.",
                 AtQuantile(0.2));
  text += Metric(report, "attest_time_p80_seconds", "80th percentile of a verified call's time.",
                 AtQuantile(0.8));
  text += Metric(report, "attest_verified", "1 where the result was verified and published.",
                 [](const CellRecord&, const Result& result) -> std::optional<double> {
                   return IsVerified(result.verdict) ? 1 : 0;
                 });
  text += Metric(report, "attest_failed", "1 where the result is wrong or the call failed.",
                 [](const CellRecord&, const Result& result) -> std::optional<double> {
                   return IsFailure(result.verdict) ? 1 : 0;
                 });
  text += Metric(report, "attest_error_over_bound", "Largest error over its proven bound.",
                 [](const CellRecord&, const Result& result) -> std::optional<double> {
                   if (!result.verification) return std::nullopt;
                   return result.verification->error_over_bound;
                 });
  return text;
}

}  // namespace attest::report
