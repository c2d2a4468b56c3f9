// SPDX-License-Identifier: Apache-2.0
//
// See rows.h.
#include "harness/report/rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/report/format.h"
#include "harness/report/scaling.h"
#include "harness/report/statistics.h"

namespace attest::report {
namespace {

const Timing* TimingOf(const Result& result) {
  const bool published =
      IsVerified(result.verdict) && result.timing && !result.timing->samples_seconds.empty();
  return published ? &*result.timing : nullptr;
}

// "1.87x 94%": how many times as fast, and that as part of what the threads could bring.
std::string ScalingText(const Scaling& scaling) {
  const bool known =
      scaling.low && scaling.high && *scaling.high - *scaling.low <= kNoisySpread * scaling.ratio;
  return fmt::format("{}x {:.0f}%{}", FormatNumber(scaling.ratio), 100 * scaling.efficiency,
                     known ? "" : "~");
}

void FillTimes(const Report& report, const Timing& timing, const Timing* baseline, Row& row) {
  const Ceiling* ceiling = CeilingFor(report, *row.result);
  const Rates rates = RatesFor(report, *row.cell, *row.result);
  row.median = FormatSeconds(timing.median_seconds) + (timing.noisy ? "~" : "");
  row.rate = MemoryBound(*row.cell, ceiling)
                 ? fmt::format("{} GB/s", FormatNumber(rates.bytes_per_second / 1e9))
                 : fmt::format("{} GFLOP/s", FormatNumber(rates.flops_per_second / 1e9));
  if (rates.fraction_of_ceiling) row.ceiling = FormatPercent(*rates.fraction_of_ceiling);
  if (baseline) row.speedup_value = PairedSpeedup(*baseline, timing);
  if (row.speedup_value) row.speedup = FormatNumber(*row.speedup_value) + "x";
  if (row.result->scaling) row.scaling = ScalingText(*row.result->scaling);
}

Row MakeRow(const Report& report, const CellRecord& cell, const Result& result,
            const std::string& baseline) {
  Row row;
  row.cell = &cell;
  row.result = &result;
  row.label = LabelOf(result);
  row.verdict = VerdictName(result.verdict);
  const Result* base = BaselineOf(cell, baseline, result);
  if (const Timing* timing = TimingOf(result))
    FillTimes(report, *timing, base ? TimingOf(*base) : nullptr, row);
  if (result.verification) row.error = FormatNumber(result.verification->error_over_bound);
  return row;
}

void AddReason(const CellRecord& cell, const Result& result, std::vector<Reason>& reasons) {
  Reason reason{std::string(VerdictName(result.verdict)),
                LabelOf(result),
                OneLine(result.reason),
                cell.id,
                OneLine(result.reproduce),
                1};
  for (Reason& known : reasons) {
    if (known.verdict != reason.verdict || known.label != reason.label || known.text != reason.text)
      continue;
    ++known.count;
    return;
  }
  reasons.push_back(std::move(reason));
}

}  // namespace

std::vector<Row> MakeRows(const Report& report, const std::string& baseline) {
  std::vector<Row> rows;
  for (const CellRecord& cell : report.cells)
    for (const Result& result : cell.results)
      rows.push_back(MakeRow(report, cell, result, baseline));
  return rows;
}

bool HasScaling(const std::vector<Row>& rows) {
  return std::any_of(rows.begin(), rows.end(),
                     [](const Row& row) { return row.result->scaling.has_value(); });
}

std::vector<Reason> CollectReasons(const Report& report) {
  std::vector<Reason> reasons;
  for (const CellRecord& cell : report.cells)
    for (const Result& result : cell.results)
      if (result.verdict != Verdict::kPass) AddReason(cell, result, reasons);
  std::stable_partition(reasons.begin(), reasons.end(), [](const Reason& reason) {
    return IsFailure(VerdictFromName(reason.verdict));
  });
  return reasons;
}

std::vector<Agreement> CollectAgreements(const Report& report) {
  std::vector<Agreement> all;
  for (const CellRecord& cell : report.cells) {
    if (cell.agreement.empty()) continue;
    const std::string text = OneLine(cell.agreement);
    const auto known = std::find_if(all.begin(), all.end(),
                                    [&](const Agreement& said) { return said.text == text; });
    if (known != all.end())
      ++known->count;
    else
      all.push_back({text, cell.id, 1});
  }
  return all;
}

std::string MachineLine(const Report& report) {
  const Machine& machine = report.machine;
  return fmt::format("{} | {} | {} | Linux {} | {} threads used", machine.slug, machine.cpu.model,
                     machine.os, machine.kernel, report.policy.threads);
}

std::string CountsLine(const Summary& summary) {
  std::string text = fmt::format("{} cells, {} results: {} verified, {} failed", summary.cells,
                                 summary.results, summary.verified, summary.failed);
  for (Verdict verdict : {Verdict::kUnsupported, Verdict::kSkipped})
    if (const uint64_t count = summary.counts[static_cast<size_t>(verdict)]; count > 0)
      text += fmt::format(", {} {}", count, VerdictName(verdict));
  return text + fmt::format("; {:.1f} s (verification {:.1f} s)", summary.duration_seconds,
                            summary.verification_seconds);
}

}  // namespace attest::report
