// SPDX-License-Identifier: Apache-2.0
//
// What is said of plugins that are wrong in a known way: the arithmetic that they hide, the rows
// and keys that they get wrong, the smallest problem that shows it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "harness/core/sweep.h"
#include "harness/judge/judge.h"

namespace attest::judge {
namespace {

using report::Verdict;
using testing::HasSubstr;

std::string Plugins() { return std::string(std::getenv("ATTEST_BUILD_DIR")) + "/tests/mutants/"; }

// Two plugins on one cell.
report::CellRecord Judged(const std::string& name, const Axes& more, double shrink_seconds,
                          const std::string& other = "ok_naive") {
  Axes axes = {{"seq", "197"},      {"heads", "6"},        {"kv-heads", "2"},
               {"head-size", "40"}, {"v-head-size", "24"}, {"batch", "3"}};
  for (const auto& [axis, value] : more) axes[axis] = value;
  Settings settings;
  settings.worker_path = std::string(std::getenv("ATTEST_BUILD_DIR")) + "/bin/attest-worker";
  settings.backend_paths = {Plugins() + name, Plugins() + other};
  settings.plugins = FindPlugins(settings.backend_paths, "");
  settings.cells = ExpandSweep({axes}, {}, 1);
  settings.measure = false;
  settings.threads = 2;
  settings.max_cell_seconds = 600;
  settings.shrink_seconds = shrink_seconds;
  return RunSweep(settings, {}).cells.at(0);
}

report::Result ResultOf(const report::CellRecord& cell, const std::string& name) {
  for (const report::Result& result : cell.results)
    if (result.backend == name) return result;
  ADD_FAILURE() << "no result of " << name;
  return {};
}

struct Case {
  const char* name;
  Axes axes;
  const char* inferred;
  const char* where;  // of the sentence
  const char* smallest;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

constexpr const char* kNone = "no arithmetic explains it";
constexpr double kLongSearch = 60;  // seconds: a search on a busy machine must not be cut short

class WrongPlugin : public testing::TestWithParam<Case> {};

TEST_P(WrongPlugin, NameTheCauseThePlaceAndTheSmallestProblem) {
  const Case& expected = GetParam();
  const report::CellRecord cell = Judged(expected.name, expected.axes, kLongSearch);
  const report::Result result = ResultOf(cell, expected.name);
  ASSERT_EQ(result.verdict, Verdict::kFail) << result.reason;
  EXPECT_EQ(result.verification->inferred_contract, expected.inferred);
  EXPECT_THAT(result.reason, HasSubstr(std::string("; ") + expected.inferred));
  EXPECT_EQ(cell.agreement, std::string("1 agrees with the reference, 1 (") + expected.name +
                                ") deviates " + expected.where);
  ASSERT_TRUE(result.smallest);
  EXPECT_EQ(result.smallest->cell, expected.smallest);
  EXPECT_TRUE(result.smallest->minimal);
  EXPECT_GT(result.smallest->tries, 0u);
  EXPECT_THAT(result.reproduce, HasSubstr("attest verify --backend-path "));
  EXPECT_THAT(result.reproduce, HasSubstr(expected.name));
  EXPECT_THAT(result.reproduce_original, HasSubstr("--head-size 40 --v-head-size 24"));
}

INSTANTIATE_TEST_SUITE_P(
    Mutants, WrongPlugin,
    testing::Values(
        Case{
            "m27a_hidden_tf32", {}, "behaves as tf32", "everywhere", "sdpa/f32/b1/h1/kv1/q1/k1/d1"},
        Case{"m27b_hidden_bf16",
             {},
             "behaves as bf16 operands",
             "everywhere",
             "sdpa/f32/b1/h1/kv1/q1/k1/d1"},
        Case{"m09_last_key_dropped",
             {},
             kNone,
             "everywhere without key 196",
             "sdpa/f32/b1/h1/kv1/q1/k1/d1"},
        Case{"m11_edge_key_twice",
             {},
             kNone,
             "everywhere with a wrong weight of key 64",
             "sdpa/f32/b1/h1/kv1/q1/k65/d1"},
        Case{"m05_causal_loose",
             {{"causal", "causal"}},
             kNone,
             "up to row 195 with hidden key 17 (in row 16)",
             "sdpa/f32/b1/h1/kv1/q1/k2/d1/causal+0"},
        Case{"m17_first_batch_for_all",
             {},
             kNone,
             "from batch entry 1 on with wrong weights of some keys, the first is key 0",
             "sdpa/f32/b2/h1/kv1/q1/k1/d1"},
        Case{"m38_row_copied",
             {},
             kNone,
             "in batch entry 2, head 5, row 1",
             "sdpa/f32/b1/h1/kv1/q2/k2/d1"},
        Case{"m37_one_element_off",
             {},
             kNone,
             "in batch entry 0, head 0, row 0, column 0",
             "sdpa/f32/b1/h1/kv1/q1/k1/d1"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Verdicts, WrongStructureIsNoArithmeticWithoutASearchEither) {
  for (const char* name : {"m09_last_key_dropped", "m10_zero_padded_tail", "m12_tiles_swapped",
                           "m15_gqa_modulo", "m16_heads_permuted", "m18_softmax_over_queries"}) {
    const report::Result result = ResultOf(Judged(name, {}, 0), name);
    EXPECT_EQ(result.verification->inferred_contract, kNone) << name;
    EXPECT_FALSE(result.smallest);
    EXPECT_TRUE(result.reproduce_original.empty());
    EXPECT_THAT(result.reproduce, HasSubstr("--seq 197 --kv-len 197"));
  }
}

TEST(Verdicts, ThoseThatDeviateAlikeAreSaidTo) {
  // Of two keys a row sees one; both plugins show it the other, too.
  const Axes axes = {{"seq", "1"}, {"kv-len", "2"}, {"causal", "causal"}};
  EXPECT_THAT(Judged("m05_causal_loose", axes, 0, "m07_causal_by_4_rows").agreement,
              HasSubstr("none agrees with the reference, 2 deviate alike: (m05_causal_loose) "));
  EXPECT_THAT(Judged("m05_causal_loose", axes, 0, "m04_causal_strict").agreement,
              HasSubstr("none agrees with the reference, 2 deviate: (m04_causal_strict) "));
}

TEST(Verdicts, ASuspicionIsExplainedByOneKey) {
  const Axes axes = {{"seq", "64"},       {"kv-len", "2048"},    {"heads", "1"}, {"kv-heads", "1"},
                     {"head-size", "64"}, {"v-head-size", "64"}, {"batch", "1"}};
  const report::Result result = ResultOf(Judged("m27a_hidden_tf32", axes, 0), "m27a_hidden_tf32");
  EXPECT_EQ(result.verdict, Verdict::kSuspicious);
  EXPECT_EQ(result.verification->inferred_contract, "behaves as tf32");
  EXPECT_THAT(result.reason, HasSubstr("; behaves as tf32"));
}

TEST(Verdicts, OfHarmToMemoryNothingIsInferred) {
  const report::CellRecord cell = Judged("m40_writes_past_end", {}, kLongSearch);
  const report::Result result = ResultOf(cell, "m40_writes_past_end");
  EXPECT_EQ(result.verification->inferred_contract, "");
  EXPECT_EQ(cell.agreement, "");
  EXPECT_EQ(result.smallest->cell, "sdpa/f32/b1/h1/kv1/q1/k1/d1");
}

TEST(Verdicts, RightResultsAreNotTalkedAbout) {
  const report::CellRecord cell = Judged("ok_flash16", {}, kLongSearch);
  EXPECT_EQ(cell.agreement, "");
  for (const report::Result& result : cell.results) {
    EXPECT_EQ(result.verdict, Verdict::kPass) << result.reason;
    EXPECT_FALSE(result.smallest);
    EXPECT_EQ(result.reproduce + result.reproduce_original, "");
    EXPECT_EQ(result.verification->inferred_contract + result.verification->deviation, "");
  }
}

}  // namespace
}  // namespace attest::judge
