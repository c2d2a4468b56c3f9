// SPDX-License-Identifier: Apache-2.0
//
// The judge's comparison, on outputs made by hand: what must fail does, NaN and gaps included.
#include "harness/judge/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "harness/core/convert.h"

namespace attest::judge {
namespace {

class CompareTest : public testing::Test {
 protected:
  void SetUp() override {
    cell_.problem.q_num_heads = 2;
    cell_.problem.q_sequence_length = 5;
    cell_.problem.head_size = 4;
    cell_.problem.v_head_size = 3;
    Make();
  }
  void Make() {
    cell_.problem.scale = 0;
    cell_.problem.kv_num_heads = cell_.problem.kv_sequence_length = 0;
    ResolveProblem(cell_.problem);
    attest_contract contract{};
    contract.size = sizeof contract;
    contract.accumulate = ATTEST_FORMAT_F32;
    data_ = MakeCellData(cell_, {1, 2e9, {reference::RoundingOf(contract, cell_.problem.dtype)}});
    buffer_ = std::make_unique<Buffer>(BufferBytes(data_->tensors.back()));
    output_ = {data_->tensors.back(), buffer_.get()};
    output_.tensor.data =
        buffer_->data() + PlaceTensor(output_.tensor, 0, Alignment::kEnd).offset_bytes;
    FillPoison(*buffer_, kPoisons[0]);
    WriteExpected();
  }
  // The reference's own answer, rounded to the io type.
  void WriteExpected() {
    const reference::Answer& answer = data_->answers[0];
    const attest_tensor& out = output_.tensor;
    const int64_t columns = cell_.problem.v_head_size, length = cell_.problem.q_sequence_length;
    for (size_t r = 0; r < answer.rows.size(); ++r)
      for (int64_t c = 0; c < columns; ++c)
        StoreElement(
            out.data, out.dtype,
            answer.rows[r] / length * out.strides[1] + answer.rows[r] % length * out.strides[2] + c,
            answer.output[r * static_cast<size_t>(columns) + static_cast<size_t>(c)]);
  }
  float* Out() { return static_cast<float*>(output_.tensor.data); }
  Comparison Run() { return Compare(*data_, 0, 0, {output_}, kPoisons[0]); }

  Cell cell_;
  std::unique_ptr<CellData> data_;
  std::unique_ptr<Buffer> buffer_;
  Output output_;
};

TEST_F(CompareTest, TheReferenceItselfPasses) {
  const Comparison found = Run();
  EXPECT_EQ(found.elements, 2 * 5 * 3);
  EXPECT_EQ(found.outside, 0);
  EXPECT_EQ(found.memory, "");
  EXPECT_LT(found.figures.error_over_bound, 1);
}

TEST_F(CompareTest, NanAndInfinityFail) {
  for (float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    WriteExpected();
    Out()[7] = bad;
    const Comparison found = Run();
    EXPECT_EQ(found.outside, 1);
    EXPECT_TRUE(std::isinf(found.figures.error_over_bound));
    ASSERT_TRUE(found.figures.worst);
    EXPECT_EQ(found.figures.worst->row, 2);
    EXPECT_EQ(found.figures.worst->column, 1);
  }
}

TEST_F(CompareTest, OneElementFivePercentOffIsNamed) {
  Out()[16] *= 1.05f;
  const Comparison found = Run();
  EXPECT_EQ(found.outside, 1);
  EXPECT_GT(found.figures.error_over_bound, 100);
  EXPECT_EQ(found.figures.worst->head, 1);
  EXPECT_EQ(found.figures.worst->row, 0);
  EXPECT_EQ(found.figures.worst->column, 1);
}

TEST_F(CompareTest, UnwrittenElementsAreCounted) {
  FillPoison(*buffer_, kPoisons[0]);
  EXPECT_NE(Run().memory.find("30 of 30 elements of out never written"), std::string::npos)
      << Run().memory;
}

TEST_F(CompareTest, MarginsAreWatchedOnBothSides) {
  Out()[-1] = 0;
  EXPECT_NE(Run().memory.find("before the start of out"), std::string::npos);
  Make();
  Out()[30] = 0;
  EXPECT_NE(Run().memory.find("past the end of out"), std::string::npos);
}

TEST_F(CompareTest, GapsBetweenRowsAreWatched) {
  attest_tensor& out = output_.tensor;
  // Rows of 3 elements, 4 apart: element 3 of the extent is a gap.
  out.strides[2] = 4;
  out.strides[1] = 20;
  out.strides[0] = 40;
  out.extent_bytes = static_cast<uint64_t>(ExtentElements(out)) * 4;
  FillPoison(*buffer_, kPoisons[0]);
  out.data = buffer_->data();
  WriteExpected();
  EXPECT_EQ(CheckMemory(output_, kPoisons[0]), "");
  Out()[3] = 0;
  EXPECT_NE(CheckMemory(output_, kPoisons[0]).find("gap between rows"), std::string::npos);
}

TEST_F(CompareTest, TruncationLeansOneWay) {
  cell_.problem.q_sequence_length = 700;
  cell_.problem.dtype = ATTEST_BF16;
  Make();
  EXPECT_LT(std::fabs(*Run().figures.bias_z), 10);
  const reference::Answer& answer = data_->answers[0];
  for (size_t i = 0; i < answer.output.size(); ++i) {
    const auto value = static_cast<float>(answer.output[i]);
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    static_cast<uint16_t*>(output_.tensor.data)[i] = static_cast<uint16_t>(bits >> 16);
  }
  EXPECT_GT(std::fabs(*Run().figures.bias_z), 20);
}

}  // namespace
}  // namespace attest::judge
