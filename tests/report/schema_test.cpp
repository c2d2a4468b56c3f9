// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "harness/report/json.h"
#include "tests/report/fixture.h"

namespace attest::report {
namespace {

using Json = nlohmann::json;

// The first faults on top, in valijson's words.
std::string Describe(valijson::ValidationResults& results) {
  std::string text;
  valijson::ValidationResults::Error error;
  while (results.popError(error)) {
    for (const std::string& step : error.context) text += step;
    text += ": " + error.description + "\n";
  }
  return text;
}

testing::AssertionResult IsValid(const Json& report) {
  static const Json text = Json::parse(SchemaText());
  static const valijson::Schema* const schema = [] {
    auto* parsed = new valijson::Schema;  // lives as long as the process
    valijson::SchemaParser(valijson::SchemaParser::kDraft7)
        .populateSchema(valijson::adapters::NlohmannJsonAdapter(text), *parsed);
    return parsed;
  }();
  valijson::ValidationResults results;
  const bool valid = valijson::Validator().validate(
      *schema, valijson::adapters::NlohmannJsonAdapter(report), &results);
  if (valid) return testing::AssertionSuccess();
  return testing::AssertionFailure() << Describe(results);
}

Json Written() { return Json::parse(WriteJson(MakeReport())); }

testing::AssertionResult IsValidWith(const char* pointer, const Json& value) {
  Json json = Written();
  json[Json::json_pointer(pointer)] = value;
  return IsValid(json);
}

TEST(Schema, HoldsForWhatIsWritten) {
  EXPECT_TRUE(IsValid(Written()));
  EXPECT_TRUE(IsValid(Json::parse(WriteJson(ReadJson(WriteJson(MakeReport()))))));
}

TEST(Schema, HoldsForStudies) {
  Report report = MakeReport();
  StudyRow row{"cell", "16", "", {{"entropy_bits", 2.5}, {"distance", NAN}}, Verdict::kPass, ""};
  report.studies = {{"scale", "eigen:flash", "It falls.", {row}}};
  const Json written = Json::parse(WriteJson(report));
  EXPECT_TRUE(IsValid(written));
  Json broken = written;
  broken["attest"]["studies"][0]["rows"][0]["figures"]["entropy_bits"] = "high";
  EXPECT_FALSE(IsValid(broken));
  broken = written;
  broken["attest"]["studies"][0].erase("rows");
  EXPECT_FALSE(IsValid(broken));
}

TEST(Schema, AllowsUnknownKeys) { EXPECT_TRUE(IsValidWith("/attest/machine/later", 1)); }

TEST(Schema, FindsFaults) {
  EXPECT_FALSE(IsValidWith("/context/json_schema_version", 2));
  EXPECT_FALSE(IsValidWith("/attest/schema_version", "2.0.0"));
  EXPECT_FALSE(IsValidWith("/attest/cells/0/results/0/verdict", "good"));
  EXPECT_FALSE(IsValidWith("/attest/cells/0/problem/head_size", 0));
  EXPECT_FALSE(IsValidWith("/benchmarks/0/real_time", 0));
  EXPECT_FALSE(IsValidWith("/benchmarks/0/real_time", nullptr));
  EXPECT_FALSE(IsValidWith("/benchmarks/0/attest/verdict", "fail"));
  EXPECT_FALSE(IsValidWith("/attest/cells/0/flops_nonfinite", "infinite"));
  EXPECT_FALSE(IsValidWith("/attest/cells/0/results/2/rates", Json::object()));
}

TEST(Schema, NeedsEveryCpuTime) {
  Json json = Written();
  json["benchmarks"][5].erase("cpu_time");
  EXPECT_FALSE(IsValid(json));
}

}  // namespace
}  // namespace attest::report
