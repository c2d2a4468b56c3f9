// SPDX-License-Identifier: Apache-2.0
//
// Problems beside the cell's and NaN at hidden keys: the reference itself must keep every relation
// that backends are held to. What breaks one is the mutants' test (tests/mutants).
#include "harness/judge/relations.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "harness/core/convert.h"
#include "harness/core/sweep.h"
#include "harness/judge/judge.h"
#include "harness/judge/masked_nan.h"

namespace attest::judge {
namespace {

constexpr double kClose = 1e-12;  // of double precision

Cell CellOf(const Axes& axes) { return ExpandSweep({axes}, {}, 3).at(0); }

std::unique_ptr<CellData> DataOf(const Cell& cell, bool all_checks = false) {
  attest_contract contract{};
  contract.size = sizeof contract;
  contract.accumulate = ATTEST_FORMAT_F32;
  return MakeCellData(cell, {2,
                             1e12,
                             {reference::RoundingOf(contract, cell.problem.dtype)},
                             false,
                             false,
                             nullptr,
                             true,
                             all_checks});
}

const std::vector<Axes>& Problems() {
  static const Axes shape = {{"seq", "9"},      {"kv-len", "33"},   {"heads", "6"},
                             {"kv-heads", "2"}, {"head-size", "8"}, {"v-head-size", "5"},
                             {"batch", "3"}};
  static const std::vector<Axes> problems = [] {
    std::vector<Axes> all;
    for (const Axes& more :
         std::vector<Axes>{{},
                           {{"causal", "bottom_right"}, {"layout", "bsnh_padded"}},
                           {{"causal", "-3"}},
                           {{"window", "7:2"}, {"dtype", "bf16"}},
                           {{"kv-lengths", "1"}, {"causal", "causal"}, {"dtype", "f16"}},
                           {{"kv-lengths", "1"}},
                           {{"mask", "boolean"}, {"mask-shape", "full"}, {"layout", "bnsh_padded"}},
                           {{"mask", "boolean"}, {"mask-shape", "keys"}},
                           {{"mask", "additive"}, {"mask-shape", "head"}, {"softcap", "3"}}}) {
      Axes axes = shape;
      for (const auto& [name, text] : more) axes[name] = text;
      all.push_back(axes);
    }
    return all;
  }();
  return problems;
}

reference::Answer AnswerOf(const HeadProblem& head) {
  SideOptions options;
  options.oracle_budget = 1e12;
  return MakeSideCase(head, options).answer;
}

class OneHead : public testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    cell_ = CellOf(Problems().at(GetParam()));
    data_ = DataOf(cell_);
    const auto tensors = InputTensors(*data_, 0);
    head_ = TakeHead(cell_, Pointers(tensors));
  }
  Cell cell_;
  std::unique_ptr<CellData> data_;
  HeadProblem head_;
};

TEST_P(OneHead, AnswersAsWithinTheBatch) {
  const reference::Answer alone = AnswerOf(head_);
  const attest_problem& p = cell_.problem;
  ASSERT_EQ(alone.rows.size(), static_cast<size_t>(p.q_sequence_length));
  const auto first = static_cast<size_t>((head_.batch * p.q_num_heads + head_.head) *
                                         p.q_sequence_length * p.v_head_size);
  for (size_t n = 0; n < alone.output.size(); ++n)
    EXPECT_NEAR(alone.output[n], data_->answers[0].output[first + n], kClose) << n;
}

TEST_P(OneHead, InTwoPartsMergesByLse) {
  const reference::Answer whole = AnswerOf(head_);
  const int64_t middle = head_.keys() / 2;
  const reference::Answer a = AnswerOf(TakeKeys(head_, 0, middle)),
                          b = AnswerOf(TakeKeys(head_, middle, head_.keys()));
  const auto columns = static_cast<size_t>(head_.problem.v_head_size);
  for (size_t n = 0; n < whole.output.size(); ++n) {
    const double first = a.lse[n / columns], second = b.lse[n / columns];
    const double share = first == second ? 0.5 : 1 / (1 + std::exp(second - first));
    EXPECT_NEAR(share * a.output[n] + (1 - share) * b.output[n], whole.output[n], kClose) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Problems, OneHead, testing::Range<size_t>(0, Problems().size()));

TEST(LongHeads, AreCutToTheirLastRows) {
  const Cell cell =
      CellOf({{"seq", "5000"}, {"heads", "1"}, {"head-size", "1"}, {"causal", "causal"}});
  const auto data = DataOf(cell);
  const auto tensors = InputTensors(*data, 0);
  const HeadProblem head = TakeHead(cell, Pointers(tensors));
  EXPECT_LT(head.rows(), 5000);
  EXPECT_EQ(head.first_row + head.rows(), 5000);
  EXPECT_EQ(head.problem.causal_offset, head.first_row);
}

TEST(Deviations, AreFoundAndNanIsOne) {
  const std::vector<int64_t> rows = {0, 2};
  const std::vector<double> a = {1, 2, 3, 4, 5, 6}, tolerance = {0.1, 0.1, 0.1, 0.1};
  std::vector<double> b = a;
  EXPECT_EQ(Deviation(rows, a, b, tolerance), "");
  b[2] = 9;  // of row 1, which has no tolerance
  EXPECT_EQ(Deviation(rows, a, b, tolerance), "");
  b[5] = 6.2;
  EXPECT_NE(Deviation(rows, a, b, tolerance).find("1 of 4 elements"), std::string::npos);
  EXPECT_NE(Deviation(rows, a, b, tolerance).find("row 2, column 1"), std::string::npos);
  b = a;
  b[0] = NAN;
  EXPECT_NE(Deviation(rows, a, b, tolerance).find("row 0, column 0"), std::string::npos);
}

struct Hiding {
  Axes axes;
  int64_t keys;  // hidden, over batch entries and kv heads
};

TEST(MaskedNan, IsPlantedWhereNoRowLooks) {
  const Axes shape = {
      {"seq", "9"}, {"heads", "4"}, {"kv-heads", "2"}, {"head-size", "8"}, {"batch", "2"}};
  const std::vector<Hiding> cases = {
      {{}, 0},
      {{{"kv-len", "33"}, {"causal", "causal"}}, 24 * 4},
      {{{"kv-len", "33"}, {"window", "2:1"}}, 23 * 4},
      {{{"kv-len", "33"}, {"causal", "causal"}, {"mask", "additive"}}, 24 * 4}};
  for (const Hiding& hiding : cases) {
    Axes axes = shape;
    for (const auto& [name, text] : hiding.axes) axes[name] = text;
    const Cell cell = CellOf(axes);
    const auto data = DataOf(cell, true);
    EXPECT_EQ(data->masked_nan.keys, hiding.keys) << CellId(cell);
    EXPECT_EQ(data->masked_nan.reason.empty(), hiding.keys > 0) << CellId(cell);
    int64_t planted = 0;
    for (const InputBuffer& input : data->inputs) {
      if (input.set != MaskedNan::kSet) continue;
      const auto* values = reinterpret_cast<const float*>(input.buffer.data());
      const attest_tensor& tensor = data->tensors[input.tensor];
      for (int64_t n = 0; n < ExtentElements(tensor); ++n) planted += IsNan(values[n]);
    }
    EXPECT_EQ(planted, hiding.keys * 16) << "8 elements of K and 8 of V";
  }
}

TEST(MaskedNan, KeyMasksHideTheirKeys) {
  const Cell cell = CellOf({{"seq", "9"},
                            {"heads", "2"},
                            {"head-size", "8"},
                            {"batch", "2"},
                            {"mask", "boolean"},
                            {"mask-shape", "keys"},
                            {"kv-len", "40"}});
  const auto data = DataOf(cell, true);
  int64_t hidden = 0;
  for (const attest_tensor& tensor : InputTensors(*data, 0))
    for (int64_t n = 0; tensor.role == ATTEST_ROLE_MASK && n < ExtentElements(tensor); ++n)
      hidden += static_cast<const uint8_t*>(tensor.data)[n] == 0;
  EXPECT_GT(hidden, 0);
  EXPECT_EQ(data->masked_nan.keys, 2 * hidden) << "in each of two heads";
}

std::string OutcomeOf(const report::Result& result, const std::string& name) {
  for (const report::Check& check : result.verification->checks)
    if (check.name == name) return check.outcome;
  return "";
}

TEST(AllChecks, AreMadeOfEveryResult) {
  const std::string build = std::getenv("ATTEST_BUILD_DIR");
  Settings settings;
  settings.worker_path = build + "/bin/attest-worker";
  settings.plugins = FindPlugins({build + "/tests/stubs/correct"}, "");
  settings.cells = ExpandSweep(
      {{{"seq", "17"}, {"kv-len", "40"}, {"heads", "2"}, {"causal", "full,causal,bottom_right"}}},
      {}, 3);
  settings.measure = false;
  for (const bool all : {true, false}) {
    settings.all_checks = all;
    const Outcome outcome = RunSweep(settings, {});
    ASSERT_EQ(outcome.cells.size(), 3U);
    for (const report::CellRecord& cell : outcome.cells) {
      const report::Result& result = cell.results.at(0);
      EXPECT_EQ(result.verdict, report::Verdict::kPass) << cell.id << ": " << result.reason;
      const bool causal = cell.cell.problem.is_causal != 0;
      const bool past = cell.cell.problem.causal_offset > 0;
      const std::string pass = all ? "pass" : "", none = all ? "not_applicable" : "";
      EXPECT_EQ(OutcomeOf(result, "independence"), pass) << cell.id;
      EXPECT_EQ(OutcomeOf(result, "key_permutation"), causal && !past ? none : pass) << cell.id;
      EXPECT_EQ(OutcomeOf(result, "key_shift"), pass) << cell.id;
      EXPECT_EQ(OutcomeOf(result, "key_split"), none) << cell.id << ": it has no LSE";
      EXPECT_EQ(OutcomeOf(result, "masked_nan"), causal && !past ? pass : none) << cell.id;
      EXPECT_EQ(OutcomeOf(result, "query_scaling"), pass) << cell.id;
      EXPECT_EQ(OutcomeOf(result, "value_scaling"), pass) << cell.id;
    }
  }
}

}  // namespace
}  // namespace attest::judge
