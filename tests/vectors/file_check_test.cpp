// SPDX-License-Identifier: Apache-2.0
//
// A file whose outputs are right agrees with the reference; one wrong number in any output does
// not.
#include "harness/vectors/file_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/vectors/written_case.h"

namespace attest::vectors {
namespace {

using testing::HasSubstr;

// Names of the checks that fail, each with a blank behind it.
std::string Failed(const WrittenCase& written) {
  std::string failed;
  for (const Finding& finding : CheckFile(written.Read(), 1))
    if (!finding.ok) failed += finding.check + " ";
  return failed;
}

// All keys equal: the output is the mean of the V that are visible.
TEST(CheckFile, MeansOfVisibleValues) {
  WrittenCase full;
  full.AddSimple(2, 3, {2, 2});
  EXPECT_EQ(Failed(full), "");
  WrittenCase causal;
  causal.AddSimple(2, 3, {1, 1.5F});
  causal.AddInt("is_causal", 1);
  EXPECT_EQ(Failed(causal), "");
  WrittenCase wrong;
  wrong.AddSimple(2, 3, {2, 2.00001F});
  EXPECT_EQ(Failed(wrong), "vector_y ");
  WrittenCase nan;
  nan.AddSimple(2, 3, {2, std::nanf("")});
  EXPECT_EQ(Failed(nan), "vector_y ");
}

TEST(CheckFile, WindowsAreIndependentBounds) {
  WrittenCase left;  // keys i - 1 and after
  left.AddSimple(3, 3, {2, 2, 2.5F});
  left.AddInt("left_window_size", 1);
  EXPECT_EQ(Failed(left), "");
  WrittenCase right;  // keys up to i
  right.AddSimple(3, 3, {1, 1.5F, 2});
  right.AddInt("right_window_size", 0);
  EXPECT_EQ(Failed(right), "");
}

TEST(CheckFile, LengthsPutTheDiagonalAtTheEnd) {
  WrittenCase written;
  written.AddSimple(2, 4, {1.5F, 2});  // 3 keys are valid: query 0 sees 2 of them, query 1 all
  written.AddInt("is_causal", 1);
  onnx::TensorProto lengths;
  lengths.set_name("nonpad_kv_seqlen");
  lengths.set_data_type(onnx::TensorProto::INT64);
  lengths.add_dims(1);
  lengths.add_int64_data(3);
  written.AddInput(6, lengths);
  EXPECT_EQ(Failed(written), "");
}

TEST(CheckFile, RowsThatSeeNothingAreZero) {
  const float hidden = -std::numeric_limits<float>::infinity();
  WrittenCase written;
  written.AddSimple(1, 2, {0});
  written.AddInput(3, FloatTensor("attn_mask", {1, 2}, {hidden, hidden}));
  EXPECT_EQ(Failed(written), "");
}

// Every stage of the scores: 1 (product), softcap tanh(1 / softcap), plus the mask, softmax.
TEST(CheckFile, StagesOfTheScores) {
  const auto softcapped = static_cast<float>(2 * std::tanh(0.5));
  const std::vector<std::vector<float>> expected = {
      {1, 1}, {softcapped, softcapped}, {softcapped, softcapped + 1}, {0.26894142F, 0.73105858F}};
  for (int stage = 0; stage < 4; ++stage)
    for (const bool right : {true, false}) {
      WrittenCase written;
      written.AddSimple(1, 2, {1.7310586F});
      written.AddInt("qk_matmul_output_mode", stage);
      written.AddFloat("softcap", 2);
      written.AddInput(3, FloatTensor("attn_mask", {1, 2}, {0, 1}));
      std::vector<float> scores = expected[static_cast<size_t>(stage)];
      if (!right) scores[1] *= 1.0001F;
      written.AddOutput(3, FloatTensor("scores", {1, 1, 1, 2}, scores));
      EXPECT_EQ(Failed(written), right ? "" : "vector_scores ") << "mode " << stage;
    }
}

TEST(CheckFile, PresentsAreEqualBitForBit) {
  for (const float last : {1.0F, std::nextafter(1.0F, 2.0F)}) {
    WrittenCase written;
    written.AddSimple(1, 1, {4.5F});
    written.AddInput(4, FloatTensor("past_key", {1, 1, 1, 1}, {1}));
    written.AddInput(5, FloatTensor("past_value", {1, 1, 1, 1}, {8}));
    written.AddOutput(1, FloatTensor("present_key", {1, 1, 2, 1}, {1, last}));
    written.AddOutput(2, FloatTensor("present_value", {1, 1, 2, 1}, {8, 1}));
    EXPECT_EQ(Failed(written), last == 1 ? "" : "vector_present_key ");
  }
}

}  // namespace
}  // namespace attest::vectors
