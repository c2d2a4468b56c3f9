// SPDX-License-Identifier: Apache-2.0
//
// RFC 4180. Numbers have the digits that read back to the same bits; what is absent is empty.
#include <fmt/format.h>

#include "harness/report/export/export.h"
#include "harness/report/export/timed.h"
#include "harness/report/statistics.h"

namespace attest::report {
namespace {

// A spreadsheet runs what begins like a formula (OWASP, "CSV injection").
bool LooksLikeFormula(const std::string& text) {
  return !text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos;
}

std::string Field(const std::string& text) {
  std::string field;
  if (LooksLikeFormula(text)) field += '\'';
  field += text;
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  std::string quoted = "\"";
  for (char letter : field) quoted.append(letter == '"' ? 2 : 1, letter);
  quoted += '"';
  return quoted;
}

template <class Value>
std::string Number(const std::optional<Value>& value) {
  return value ? fmt::format("{}", *value) : "";
}

class Line {
 public:
  void Text(const std::string& text) { Add(Field(text)); }
  template <class Type>
  void Value(const Type& value) {
    Add(fmt::format("{}", value));
  }
  void Add(const std::string& field) {
    if (!first_) text_ += ',';
    text_ += field;
    first_ = false;
  }
  std::string Take() { return std::move(text_) + "\r\n"; }

 private:
  std::string text_;
  bool first_ = true;
};

constexpr const char* kTitles =
    "cell,backend,variant,device,verdict,reason,op,dtype,batch_size,q_num_heads,kv_num_heads,"
    "q_sequence_length,kv_sequence_length,head_size,v_head_size,is_causal,causal_offset,data,"
    "rounds,median_seconds,p20_seconds,p80_seconds,min_seconds,spread,drift,outliers,"
    "voluntary_switches,involuntary_switches,noisy,noise_reason,flops_per_second,"
    "bytes_per_second,fraction_of_ceiling,ceiling,error_over_bound,max_abs_error,peak_memory_bytes,"
    "threads,scaling_from_threads,scaling,scaling_low,scaling_high,scaling_efficiency,"
    "machine,commit,date\r\n";

constexpr int kTimingColumns = 16;  // from rounds to ceiling
constexpr int kScalingColumns = 5;  // from scaling_from_threads to scaling_efficiency

void AddProblem(const CellRecord& cell, Line& line) {
  const attest_problem& p = cell.cell.problem;
  line.Text(std::string(OpName(p.op)));
  line.Text(std::string(DtypeName(p.dtype)));
  for (const int64_t size :
       {int64_t{p.batch_size}, int64_t{p.q_num_heads}, int64_t{p.kv_num_heads},
        int64_t{p.q_sequence_length}, int64_t{p.kv_sequence_length}, int64_t{p.head_size},
        int64_t{p.v_head_size}, int64_t{p.is_causal}, int64_t{p.causal_offset}})
    line.Value(size);
  line.Text(cell.cell.data);
}

void AddTiming(const Report& report, const CellRecord& cell, const Result& result, Line& line) {
  const Timing* measured = TimingOf(result);
  if (!measured) {
    for (int i = 0; i < kTimingColumns; ++i) line.Add("");
    return;
  }
  // Reports need not hold what follows from their samples.
  Timing timing;
  timing.samples_seconds = measured->samples_seconds;
  timing.voluntary_switches = measured->voluntary_switches;
  timing.involuntary_switches = measured->involuntary_switches;
  Summarize(timing);
  line.Value(timing.samples_seconds.size());
  for (const double seconds :
       {timing.median_seconds, timing.p20_seconds, timing.p80_seconds, timing.min_seconds})
    line.Value(seconds);
  line.Value(timing.spread);
  line.Add(Number(timing.drift));
  line.Value(timing.outliers);
  line.Add(Number(timing.voluntary_switches));
  line.Add(Number(timing.involuntary_switches));
  line.Value(timing.noisy ? 1 : 0);
  line.Text(timing.noise_reason);
  const Rates rates = RatesFor(report, cell, result);
  line.Value(rates.flops_per_second);
  line.Value(rates.bytes_per_second);
  line.Add(Number(rates.fraction_of_ceiling));
  line.Text(rates.ceiling);
}

void AddScaling(const Result& result, Line& line) {
  line.Add(Number(result.threads));
  const std::optional<Scaling>& scaling = result.scaling;
  if (!scaling || !TimingOf(result)) {
    for (int i = 0; i < kScalingColumns; ++i) line.Add("");
    return;
  }
  line.Value(scaling->from_threads);
  line.Value(scaling->ratio);
  line.Add(Number(scaling->low));
  line.Add(Number(scaling->high));
  line.Value(scaling->efficiency);
}

std::string ResultLine(const Report& report, const CellRecord& cell, const Result& result) {
  Line line;
  for (const std::string& text : {cell.id, result.backend, result.variant}) line.Text(text);
  line.Value(result.device);
  line.Text(std::string(VerdictName(result.verdict)));
  line.Text(result.reason);
  AddProblem(cell, line);
  AddTiming(report, cell, result, line);
  const Verification* verification = result.verification ? &*result.verification : nullptr;
  line.Add(verification ? fmt::format("{}", verification->error_over_bound) : "");
  line.Add(verification ? fmt::format("{}", verification->max_abs_error) : "");
  line.Add(Number(result.peak_memory_bytes));
  AddScaling(result, line);
  for (const std::string& text : {report.machine.slug, report.build.commit, report.date})
    line.Text(text);
  return line.Take();
}

}  // namespace

std::string ExportCsv(const Report& report) {
  std::string text = kTitles;
  for (const CellRecord& cell : report.cells)
    for (const Result& result : cell.results) text += ResultLine(report, cell, result);
  return text;
}

}  // namespace attest::report
