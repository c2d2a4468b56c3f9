// SPDX-License-Identifier: Apache-2.0
//
// A report in the formats of other tools. Labels, names and reasons of a report are data that may
// hold anything: each format escapes them by its own rules. Only verified times leave; formats that
// know nothing but times leave out all other results.
#ifndef ATTEST_HARNESS_REPORT_EXPORT_EXPORT_H_
#define ATTEST_HARNESS_REPORT_EXPORT_EXPORT_H_

#include <string>
#include <string_view>
#include <vector>

#include "harness/report/model.h"

namespace attest::report {

struct ExportFormat {
  std::string name, description;
  bool only_times = false;  // what has no verified time is not in it
  std::string (*write)(const Report& report);
};

// Alphabetical.
const std::vector<ExportFormat>& ExportFormats();
// Throws std::invalid_argument with the nearest name.
const ExportFormat& FindExportFormat(std::string_view name);

// Results that have a verified time.
size_t CountTimes(const Report& report);

// ---- one function for each format; all end in a newline ----

// bencher's Metric Format, version 0: bencher.dev/docs/reference/bencher-metric-format. Medians in
// nanoseconds between the 20th and the 80th percentile.
std::string ExportBmf(const Report& report);
// RFC 4180 with a title line, one line for each result. Text that a spreadsheet would take for a
// formula gets an apostrophe in front.
std::string ExportCsv(const Report& report);
// Google Benchmark's JSON, without any key of ours.
std::string ExportGbench(const Report& report);
// github-action-benchmark's customSmallerIsBetter: medians in milliseconds.
std::string ExportGha(const Report& report);
// JUnit's XML as Ant's schema has it, the strictest there is: one suite for each label and io type,
// one case for each cell.
std::string ExportJunit(const Report& report);
// LNT's report format 2, suite "nts": all samples as execution_time.
std::string ExportLnt(const Report& report);
// GitHub's Markdown: the summary of `attest run`.
std::string ExportMarkdown(const Report& report);
// Prometheus text format 0.0.4 for node_exporter's textfile collector: gauges without timestamps.
std::string ExportPrometheus(const Report& report);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_EXPORT_EXPORT_H_
