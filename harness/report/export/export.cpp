// SPDX-License-Identifier: Apache-2.0
#include "harness/report/export/export.h"

#include <cmath>
#include <stdexcept>

#include "harness/core/words.h"
#include "harness/report/export/timed.h"
#include "harness/report/table.h"

namespace attest::report {

const std::vector<ExportFormat>& ExportFormats() {
  static const std::vector<ExportFormat> formats = {
      {"bmf", "bencher's Metric Format", true, ExportBmf},
      {"csv", "one line for each result", false, ExportCsv},
      {"gbench", "Google Benchmark's JSON, plain", true, ExportGbench},
      {"gha", "github-action-benchmark, customSmallerIsBetter", true, ExportGha},
      {"junit", "JUnit's XML", false, ExportJunit},
      {"lnt", "LLVM's LNT, report format 2", true, ExportLnt},
      {"md", "Markdown", false, ExportMarkdown},
      {"prom", "Prometheus text for node_exporter", false, ExportPrometheus}};
  return formats;
}

const ExportFormat& FindExportFormat(std::string_view name) {
  std::vector<std::string> known;
  for (const ExportFormat& format : ExportFormats()) {
    if (format.name == name) return format;
    known.push_back(format.name);
  }
  throw std::invalid_argument(UnknownWord("format", name, known));
}

const Timing* TimingOf(const Result& result) {
  if (!IsVerified(result.verdict) || !result.timing || result.timing->samples_seconds.empty())
    return nullptr;
  for (double sample : result.timing->samples_seconds)
    if (!(sample > 0 && std::isfinite(sample))) return nullptr;
  return &*result.timing;
}

size_t CountTimes(const Report& report) {
  size_t count = 0;
  ForEachTimed(report, [&](const CellRecord&, const Result&, const Timing&) { ++count; });
  return count;
}

std::string ExportMarkdown(const Report& report) {
  return MarkdownSummary(report, report.policy.baseline);
}

}  // namespace attest::report
