// SPDX-License-Identifier: Apache-2.0
//
// A report as JSON text and back: a strict superset of Google Benchmark's format
// (json_schema_version 1), so that its readers see ordinary benchmarks, with our own part under
// "attest" (report.schema.json). Exact: doubles are written with the digits that read back to the
// same bits, 64-bit integers whole. Not a validator: reading checks what it uses; the schema
// describes the rest.
#ifndef ATTEST_HARNESS_REPORT_JSON_H_
#define ATTEST_HARNESS_REPORT_JSON_H_

#include <string>
#include <string_view>

#include "harness/report/model.h"

namespace attest::report {

// Of our part. Readers accept every version of the same major: keys are only added within one.
inline constexpr std::string_view kSchemaVersion = "1.0.0";

// The JSON Schema (draft 7) of a whole report, as in report.schema.json.
std::string_view SchemaText();

// The report with a final newline. benchmarks[] holds one row for each round of each result that is
// verified and measured; timing and rates of any other result are not written at all. Bytes that
// are no UTF-8 become U+FFFD. Throws std::invalid_argument naming the result whose per-round lists
// differ in length.
std::string WriteJson(const Report& report);

// Reads what WriteJson wrote, ignoring unknown keys; missing ones keep the model's default, except
// those without which a report has no meaning (the ids, problems and verdicts of its cells). Throws
// std::runtime_error saying where the text ends early, which tool wrote it instead, that its schema
// is too new, or which key has which fault. `source` names the text in those messages.
Report ReadJson(std::string_view text, std::string_view source = "report");

// The parts that a journal's lines hold: one line, no newline. Same rules.
std::string WriteCellJson(const CellRecord& cell);
CellRecord ReadCellJson(std::string_view text);
std::string WritePolicyJson(const Policy& policy);
Policy ReadPolicyJson(std::string_view text);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_JSON_H_
