// SPDX-License-Identifier: Apache-2.0
#include "harness/report/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "harness/report/files.h"
#include "tests/report/fixture.h"

namespace attest::report {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

std::string GoldenPath() {
  return std::string(std::getenv("ATTEST_SOURCE_DIR")) + "/tests/report/golden_report.json";
}

// What reading throws; the test fails where it throws nothing.
std::string FaultOf(const std::string& text) {
  try {
    ReadJson(text, "r.json");
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  ADD_FAILURE() << "read without a fault";
  return "";
}

Json Written() { return Json::parse(WriteJson(MakeReport())); }

TEST(WriteJson, IsTheGoldenFile) {
  const std::string text = WriteJson(MakeReport());
  if (std::getenv("ATTEST_UPDATE_GOLDEN")) WriteAtomically(GoldenPath(), text);
  EXPECT_EQ(text, ReadFile(GoldenPath())) << "if the change is meant: ATTEST_UPDATE_GOLDEN=1 ctest "
                                             "-R report.json, and look at the diff";
}

TEST(WriteJson, RowsAreVerifiedRoundsOnly) {
  const Json rows = Written()["benchmarks"];
  ASSERT_EQ(rows.size(), 4u * kFixtureRounds);
  EXPECT_EQ(rows[0]["name"], "sdpa/eigen:flash/f32/b1/h12/kv12/q512/k512/d64/real_time");
  for (const Json& row : rows) {
    EXPECT_GT(row["real_time"].get<double>(), 0);
    EXPECT_GT(row["cpu_time"].get<double>(), 0);
    EXPECT_EQ(row["repetitions"], kFixtureRounds);
  }
  EXPECT_EQ(rows[13]["repetition_index"], 1);
  EXPECT_EQ(rows[13]["family_index"], 1);
}

TEST(WriteJson, PublishesNoTimeOfWhatIsNotVerified) {
  const Json failed = Written()["attest"]["cells"][0]["results"][2];
  EXPECT_EQ(failed["verdict"], "fail");
  EXPECT_FALSE(failed.contains("timing"));
  EXPECT_FALSE(failed.contains("rates"));
}

TEST(WriteJson, NonFiniteIsNullWithAWord) {
  const Json found = Written()["attest"]["cells"][0]["results"][2]["verification"];
  EXPECT_TRUE(found["error_over_bound"].is_null());
  EXPECT_EQ(found["error_over_bound_nonfinite"], "inf");
  EXPECT_EQ(found["nmse_nonfinite"], "-inf");
  EXPECT_EQ(found["worst"]["got_nonfinite"], "nan");
  EXPECT_FALSE(found["worst"].contains("expected_nonfinite"));
}

TEST(WriteJson, StudiesReadBack) {
  Report report = MakeReport();
  EXPECT_FALSE(Json::parse(WriteJson(report))["attest"].contains("studies"));
  StudyRow row{"cell",         "16", "q.k", {{"entropy_bits", 2.5}, {"distance", NAN}},
               Verdict::kFail, "no"};
  report.studies = {{"scale", "eigen:flash", "It falls.", {row}}};
  const std::string text = WriteJson(report);
  const std::vector<Study> read = ReadJson(text).studies;
  ASSERT_EQ(read.size(), 1u);
  ASSERT_EQ(read[0].rows.size(), 1u);
  EXPECT_EQ(read[0].sentence, "It falls.");
  EXPECT_EQ(read[0].rows[0].figures[0], row.figures[0]);
  EXPECT_EQ(read[0].rows[0].figures[1].first, "distance");
  EXPECT_TRUE(std::isnan(read[0].rows[0].figures[1].second));
  EXPECT_EQ(read[0].rows[0].verdict, Verdict::kFail);
  EXPECT_EQ(WriteJson(ReadJson(text)), text);
}

TEST(WriteJson, UnevenRoundsAreRefusedByName) {
  Report report = MakeReport();
  report.cells[0].results[0].timing->cpu_samples_seconds.pop_back();
  try {
    WriteJson(report);
    FAIL() << "written";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), HasSubstr("eigen:flash on sdpa/f32/b1/h12/kv12/q512/k512/d64"));
  }
}

TEST(ReadJson, GivesBackWhatWasWritten) {
  const std::string text = WriteJson(MakeReport());
  EXPECT_EQ(WriteJson(ReadJson(text)), text);
  const Report report = ReadJson(text);
  EXPECT_EQ(report.policy.seed, 18446744073709551615u);
  EXPECT_EQ(report.cells[1].results[1].verdict, Verdict::kSuspicious);
  EXPECT_TRUE(std::isnan(report.cells[0].results[2].verification->worst->got));
  EXPECT_FALSE(report.cells[0].results[3].verification);
  EXPECT_EQ(report.summary.failed, 2u);
}

TEST(ReadJson, GivesBackEveryFieldOfAProblem) {
  CellRecord record;
  attest_problem& p = record.cell.problem;
  p = DefaultProblem();
  p.op = ATTEST_OP_SELF_ATTENTION;
  p.dtype = ATTEST_BF16;
  p.batch_size = 2;
  p.q_num_heads = 6;
  p.kv_num_heads = 3;
  p.q_sequence_length = 5;
  p.kv_sequence_length = 7;
  p.head_size = 11;
  p.v_head_size = 13;
  p.scale = 1.0 / 3;
  p.softcap = 30.1;
  p.is_causal = p.has_kv_lengths = p.has_bias = p.has_output_projection = p.is_cross = 1;
  p.causal_offset = -4;
  p.left_window_size = 0;
  p.right_window_size = 9;
  p.attn_mask = ATTEST_MASK_ADDITIVE;
  p.outputs = ATTEST_OUTPUT_LSE | ATTEST_OUTPUT_WEIGHTS;
  p.hidden_size = 66;
  p.structure = ATTEST_STRUCTURE_TIED_QK;
  record.cell.layout = Layout::kBsnh;
  record.cell.data = "peaky";
  record.cell.seed = 99;
  record.id = CellId(record.cell);
  const CellRecord back = ReadCellJson(WriteCellJson(record));
  EXPECT_EQ(CellId(back.cell), record.id);
  EXPECT_EQ(back.cell.seed, 99u);
  EXPECT_EQ(std::memcmp(&back.cell.problem, &p, sizeof p), 0);
}

TEST(ReadJson, IgnoresUnknownKeysEverywhere) {
  Json json = Written();
  const std::string before = json.dump(2) + "\n";
  json["later"] = 1;
  json["attest"]["later"] = {{"deep", true}};
  json["attest"]["schema_version"] = "1.7.3";
  json["attest"]["machine"]["cpu"]["later"] = "x";
  json["attest"]["cells"][0]["problem"]["later"] = 1;
  json["attest"]["cells"][0]["results"][0]["later"] = nullptr;
  EXPECT_EQ(Json::parse(WriteJson(ReadJson(json.dump()))).dump(2) + "\n", before);
}

TEST(ReadJson, KeysOfLaterMinorVersionsMayBeMissing) {
  Json json = Written();
  json["attest"]["policy"].erase("oracle_budget");
  json["attest"]["cells"][0]["problem"].erase("softcap");
  EXPECT_EQ(ReadJson(json.dump()).policy.oracle_budget, Policy().oracle_budget);
}

TEST(ReadJson, EveryTruncationIsAFaultThatSaysSo) {
  const std::string text = WriteJson(MakeReport());
  EXPECT_THAT(FaultOf(""), HasSubstr("r.json is empty"));
  for (size_t length = 1; length + 2 < text.size(); length += 997)
    EXPECT_THAT(FaultOf(text.substr(0, length)), HasSubstr("r.json ends early")) << length;
}

TEST(ReadJson, OtherFilesAreNamedForWhatTheyAre) {
  EXPECT_THAT(FaultOf("{]"), HasSubstr("r.json is no JSON from byte 2"));
  EXPECT_THAT(FaultOf("[1, 2]"), HasSubstr("is JSON, but no report"));
  EXPECT_THAT(FaultOf("7"), HasSubstr("is JSON, but no report"));
  EXPECT_THAT(FaultOf(R"({"context": {}, "benchmarks": []})"),
              HasSubstr("Google Benchmark report of another tool"));
}

TEST(ReadJson, NewerMajorIsRefused) {
  Json json = Written();
  json["attest"]["schema_version"] = "2.0.0";
  EXPECT_THAT(FaultOf(json.dump()),
              HasSubstr("has schema version 2.0.0, but this attest reads 1.x"));
  json["attest"]["schema_version"] = "one";
  EXPECT_THAT(FaultOf(json.dump()), HasSubstr("'one' is no version"));
}

TEST(ReadJson, FaultsNameTheirKey) {
  const auto fault = [](const char* pointer, const Json& value) {
    Json json = Written();
    json[Json::json_pointer(pointer)] = value;
    return FaultOf(json.dump());
  };
  EXPECT_THAT(fault("/attest/cells/0/results/0/verdict", "good"),
              HasSubstr("r.json.attest.cells[0].results[0].verdict: 'good' is no verdict"));
  EXPECT_THAT(fault("/attest/cells/0/problem/dtype", "f8"), HasSubstr("dtype: 'f8' is not known"));
  EXPECT_THAT(fault("/attest/cells/0/problem/head_size", 1.5), HasSubstr("an integer is needed"));
  EXPECT_THAT(fault("/attest/policy/rounds", 1e300), HasSubstr("rounds: an integer is needed"));
  EXPECT_THAT(fault("/attest/policy/rounds", 5000000000), HasSubstr("is outside"));
  EXPECT_THAT(fault("/attest/cells", 3), HasSubstr("an array is needed"));
  EXPECT_THAT(fault("/attest/cells/0/flops", nullptr),
              HasSubstr("flops_nonfinite: this key is missing"));
  EXPECT_THAT(fault("/attest/cells/0/results/0/timing/samples_seconds/3", nullptr),
              HasSubstr("samples_seconds[3]: null without a word"));
}

TEST(SchemaText, IsTheFile) {
  const std::string path =
      std::string(std::getenv("ATTEST_SOURCE_DIR")) + "/harness/report/report.schema.json";
  EXPECT_EQ(SchemaText(), ReadFile(path));
}

}  // namespace
}  // namespace attest::report
