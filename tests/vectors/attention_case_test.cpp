// SPDX-License-Identifier: Apache-2.0
//
// From the operator's attributes and inputs to a problem, by hand-made cases; and each mistake of
// a case is named.
#include "harness/vectors/attention_case.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/vectors/written_case.h"

namespace attest::vectors {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<float> FloatsOf(const Case& vector, int32_t role) {
  for (size_t i = 0; i < vector.given.tensors.size(); ++i) {
    if (vector.given.tensors[i].role != role) continue;
    const std::vector<std::byte>& bytes = vector.given.values[i];
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  return {};
}

TEST(ReadCase, DefaultsAreTheOperators) {
  WrittenCase written;
  written.AddSimple(2, 3, {2, 2});
  const Case vector = written.Read();
  const attest_problem& p = vector.cell.problem;
  EXPECT_EQ(p.q_sequence_length, 2);
  EXPECT_EQ(p.kv_sequence_length, 3);
  EXPECT_EQ(p.scale, 1);
  EXPECT_EQ(p.is_causal, 0);
  EXPECT_EQ(p.attn_mask, ATTEST_MASK_NONE);
  EXPECT_EQ(p.left_window_size, -1);
  EXPECT_EQ(vector.cell.layout, Layout::kBnsh);
  EXPECT_THAT(FloatsOf(vector, ATTEST_ROLE_V), ElementsAre(1, 2, 3));
}

TEST(ReadCase, WindowsComeWithOpset25) {
  WrittenCase written;
  written.AddSimple(2, 3, {2, 2});
  written.AddInt("left_window_size", 1);
  written.AddInt("right_window_size", 0);
  const Case vector = written.Read();
  EXPECT_EQ(vector.cell.problem.left_window_size, 1);
  EXPECT_EQ(vector.cell.problem.right_window_size, 0);
  written.SetOpset(24);
  EXPECT_THAT(written.WhyNot(), HasSubstr("'left_window_size' needs opset 25, the model has 24"));
}

TEST(ReadCase, ThreeAxesAreThePackedLayout) {
  WrittenCase written;
  written.AddInt("q_num_heads", 2);
  written.AddInt("kv_num_heads", 1);
  written.AddInput(0, FloatTensor("Q", {1, 2, 4}, {0, 1, 2, 3, 4, 5, 6, 7}));
  written.AddInput(1, FloatTensor("K", {1, 1, 2}, {1, 2}));
  written.AddInput(2, FloatTensor("V", {1, 1, 3}, {1, 2, 3}));
  written.AddOutput(0, FloatTensor("Y", {1, 2, 6}, std::vector<float>(12, 1)));
  const Case vector = written.Read();
  const attest_tensor& q = vector.given.tensors[0];
  EXPECT_EQ(vector.cell.layout, Layout::kBsnh);
  EXPECT_EQ(vector.cell.problem.head_size, 2);
  EXPECT_EQ(vector.cell.problem.v_head_size, 3);
  // Head 1, row 1: element 6 of the file.
  EXPECT_EQ(FloatsOf(vector, ATTEST_ROLE_Q)[static_cast<size_t>(q.strides[1] + q.strides[2])], 6);
}

TEST(ReadCase, PastComesFirstAndShiftsTheDiagonal) {
  WrittenCase written;
  written.AddSimple(1, 2, {1});
  written.AddInt("is_causal", 1);
  written.AddInput(4, FloatTensor("past_key", {1, 1, 3, 1}, {5, 6, 7}));
  EXPECT_THAT(written.WhyNot(), HasSubstr("past_key and past_value only go together"));
  written.AddInput(5, FloatTensor("past_value", {1, 1, 3, 1}, {8, 9, 10}));
  const Case vector = written.Read();
  EXPECT_THAT(FloatsOf(vector, ATTEST_ROLE_K), ElementsAre(5, 6, 7, 1, 1));
  EXPECT_THAT(FloatsOf(vector, ATTEST_ROLE_V), ElementsAre(8, 9, 10, 1, 2));
  EXPECT_EQ(vector.cell.problem.kv_sequence_length, 5);
  EXPECT_EQ(vector.cell.problem.causal_offset, 3);
}

TEST(ReadCase, MaskShorterThanTheKeysHidesTheRest) {
  WrittenCase written;
  written.AddSimple(2, 3, {1, 1});
  written.AddInput(3, FloatTensor("attn_mask", {1, 2}, {0.5F, 0.25F}));
  const Case vector = written.Read();
  const float hidden = -std::numeric_limits<float>::infinity();
  EXPECT_THAT(FloatsOf(vector, ATTEST_ROLE_MASK), ElementsAre(0.5F, 0.25F, hidden));
  for (const attest_tensor& tensor : vector.given.tensors) {
    if (tensor.role != ATTEST_ROLE_MASK) continue;
    EXPECT_THAT(tensor.strides, ElementsAre(0, 0, 0, 1, 0, 0));
  }
}

TEST(ReadCase, NamesTheMistakeInAnAttribute) {
  const auto why = [](const std::string& name, int64_t value) {
    WrittenCase written;
    written.AddSimple(1, 1, {1});
    written.AddInt(name, value);
    return written.WhyNot();
  };
  EXPECT_THAT(why("rotary_dim", 1), HasSubstr("attribute 'rotary_dim' is not known"));
  EXPECT_THAT(why("scale", 1), HasSubstr("attribute 'scale' must be a float"));
  EXPECT_THAT(why("is_causal", 2), HasSubstr("attribute 'is_causal' is 2"));
  EXPECT_THAT(why("qk_matmul_output_mode", 4), HasSubstr("'qk_matmul_output_mode' is 4"));
  EXPECT_THAT(why("left_window_size", -2), HasSubstr("'left_window_size' is -2"));
  EXPECT_THAT(why("softmax_precision", 7), HasSubstr("'softmax_precision' is 7"));
  EXPECT_THAT(why("q_num_heads", 2), HasSubstr("q_num_heads is not Q's"));
}

TEST(ReadCase, NamesTheMistakeInTheTensors) {
  WrittenCase mask;
  mask.AddSimple(1, 2, {1});
  mask.AddInput(3, FloatTensor("attn_mask", {3, 2}, std::vector<float>(6)));
  EXPECT_THAT(mask.WhyNot(), HasSubstr("attn_mask of shape [3, 2] does not broadcast"));
  WrittenCase output;
  output.AddSimple(1, 2, {1, 1});
  EXPECT_THAT(output.WhyNot(), HasSubstr("output_0.pb"));
  WrittenCase missing;
  missing.AddSimple(1, 2, {1});
  std::filesystem::remove(missing.path("test_data_set_0/input_1.pb"));
  EXPECT_THAT(missing.WhyNot(), HasSubstr("input_1.pb: cannot be read"));
}

TEST(ReadCase, OtherModelsAreNoCases) {
  WrittenCase other;
  other.AddSimple(1, 1, {1});
  other.model().mutable_graph()->mutable_node(0)->set_op_type("MatMul");
  EXPECT_THAT(other.WhyNot(), HasSubstr("the node is 'MatMul'"));
  WrittenCase two;
  two.AddSimple(1, 1, {1});
  two.model().mutable_graph()->add_node()->set_op_type("Relu");
  EXPECT_THAT(two.WhyNot(), HasSubstr("has 2 nodes"));
  WrittenCase old;
  old.AddSimple(1, 1, {1});
  old.SetOpset(22);
  EXPECT_THAT(old.WhyNot(), HasSubstr("opset 22"));
}

TEST(FindCases, AFolderIsACaseOrHoldsCases) {
  WrittenCase written;
  written.AddSimple(1, 1, {1});
  (void)written.Read();
  const auto alone = FindCases(written.files().folder);
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_EQ(alone[0].data_set, written.path("test_data_set_0"));
  EXPECT_TRUE(FindCases(alone[0].data_set).empty());
  EXPECT_THROW((void)FindCases(written.path("nothing")), std::invalid_argument);
}

}  // namespace
}  // namespace attest::vectors
