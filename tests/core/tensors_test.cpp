// SPDX-License-Identifier: Apache-2.0
//
// Descriptions of tensors: roles, shapes, strides, extents.
#include "harness/core/tensors.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "harness/core/problem.h"

namespace attest {
namespace {

attest_problem Small() {
  attest_problem problem = DefaultProblem();
  problem.batch_size = 2;
  problem.q_num_heads = 6;
  problem.kv_num_heads = 3;
  problem.q_sequence_length = 5;
  problem.kv_sequence_length = 7;
  problem.head_size = 4;
  problem.v_head_size = 8;
  ResolveProblem(problem);
  return problem;
}

attest_tensor Find(const std::vector<attest_tensor>& tensors, int32_t role) {
  for (const attest_tensor& tensor : tensors)
    if (tensor.role == role) return tensor;
  throw std::invalid_argument("no such role");
}

using Four = std::vector<int64_t>;
Four Shape(const attest_tensor& t) { return {t.shape, t.shape + t.rank}; }
Four Strides(const attest_tensor& t) { return {t.strides, t.strides + t.rank}; }

TEST(Tensors, OfAPlainProblem) {
  const auto tensors = DescribeTensors(Small(), Layout::kBnsh);
  ASSERT_EQ(tensors.size(), 4U);
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_Q)), Four({2, 6, 5, 4}));
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_K)), Four({2, 3, 7, 4}));
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_V)), Four({2, 3, 7, 8}));
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_OUT)), Four({2, 6, 5, 8}));
  EXPECT_EQ(Strides(Find(tensors, ATTEST_ROLE_V)), Four({168, 56, 8, 1}));
  EXPECT_EQ(tensors.back().role, ATTEST_ROLE_OUT) << "inputs first";
  for (const attest_tensor& tensor : tensors) EXPECT_EQ(tensor.data, nullptr);
}

// Every element has a place of its own within the extent, and only padded layouts have more places.
TEST(Tensors, ElementsHavePlacesOfTheirOwn) {
  for (int n = 0; n < kLayoutCount; ++n) {
    const auto layout = static_cast<Layout>(n);
    const bool padded = layout == Layout::kBnshPadded || layout == Layout::kBsnhPadded;
    for (const attest_tensor& t : DescribeTensors(Small(), layout)) {
      std::set<int64_t> places;
      for (int64_t b = 0; b < t.shape[0]; ++b)
        for (int64_t h = 0; h < t.shape[1]; ++h)
          for (int64_t i = 0; i < t.shape[2]; ++i)
            for (int64_t c = 0; c < t.shape[3]; ++c)
              places.insert(b * t.strides[0] + h * t.strides[1] + i * t.strides[2] +
                            c * t.strides[3]);
      EXPECT_EQ(static_cast<int64_t>(places.size()), StoredElements(t));
      EXPECT_EQ(StoredElements(t) < ExtentElements(t), padded);
      EXPECT_EQ(*places.begin(), 0);
      EXPECT_EQ(*places.rbegin() + 1, ExtentElements(t));
      EXPECT_EQ(t.extent_bytes, static_cast<uint64_t>(ExtentElements(t)) * 4);
    }
  }
}

TEST(Tensors, PaddedRowsHaveGapsBehindThem) {
  EXPECT_EQ(Strides(Find(DescribeTensors(Small(), Layout::kBnshPadded), ATTEST_ROLE_Q)),
            Four({305, 50, 9, 1}));
  EXPECT_EQ(Strides(Find(DescribeTensors(Small(), Layout::kBsnhPadded), ATTEST_ROLE_Q)),
            Four({300, 9, 59, 1}));
  attest_problem problem = Small();
  problem.attn_mask = ATTEST_MASK_BOOLEAN;
  problem.outputs = ATTEST_OUTPUT_WEIGHTS;
  const auto tensors = DescribeTensors(problem, Layout::kBsnhPadded, MaskShape::kHead);
  EXPECT_EQ(Strides(Find(tensors, ATTEST_ROLE_MASK)), Four({0, 65, 12, 1}));
  EXPECT_EQ(Strides(Find(tensors, ATTEST_ROLE_WEIGHTS)), Four({395, 65, 12, 1}));
}

TEST(Tensors, BsnhHasTheHeadsInsideTheSequence) {
  EXPECT_EQ(Strides(Find(DescribeTensors(Small(), Layout::kBsnh), ATTEST_ROLE_Q)),
            Four({120, 4, 24, 1}));
}

TEST(Tensors, MaskIsOneForAllBatchesAndHeads) {
  attest_problem problem = Small();
  problem.attn_mask = ATTEST_MASK_BOOLEAN;
  const attest_tensor mask = Find(DescribeTensors(problem, Layout::kBnsh), ATTEST_ROLE_MASK);
  EXPECT_EQ(mask.dtype, ATTEST_BOOL);
  EXPECT_EQ(Shape(mask), Four({2, 6, 5, 7}));
  EXPECT_EQ(Strides(mask), Four({0, 0, 7, 1}));
  EXPECT_EQ(StoredElements(mask), 35);
  EXPECT_EQ(ExtentElements(mask), 35);
  EXPECT_EQ(mask.extent_bytes, 35U);
  problem.attn_mask = ATTEST_MASK_ADDITIVE;
  problem.dtype = ATTEST_F16;
  const attest_tensor bias = Find(DescribeTensors(problem, Layout::kBnsh), ATTEST_ROLE_MASK);
  EXPECT_EQ(bias.dtype, ATTEST_F16);
  EXPECT_EQ(bias.extent_bytes, 70U);
}

TEST(Tensors, MaskIsStoredForWhatItDiffersBy) {
  attest_problem problem = Small();
  problem.attn_mask = ATTEST_MASK_ADDITIVE;
  const auto strides = [&](MaskShape shape) {
    const attest_tensor mask =
        Find(DescribeTensors(problem, Layout::kBnsh, shape), ATTEST_ROLE_MASK);
    EXPECT_EQ(Shape(mask), Four({2, 6, 5, 7}));
    EXPECT_EQ(mask.extent_bytes, static_cast<uint64_t>(StoredElements(mask)) * 4);
    return Strides(mask);
  };
  EXPECT_EQ(strides(MaskShape::kShared), Four({0, 0, 7, 1}));
  EXPECT_EQ(strides(MaskShape::kHead), Four({0, 35, 7, 1}));
  EXPECT_EQ(strides(MaskShape::kBatch), Four({35, 0, 7, 1}));
  EXPECT_EQ(strides(MaskShape::kFull), Four({210, 35, 7, 1}));
  EXPECT_EQ(strides(MaskShape::kKeys), Four({7, 0, 0, 1}));
}

TEST(Tensors, AppendedElementsLeaveGapsOut) {
  attest_tensor out = Find(DescribeTensors(Small(), Layout::kBnshPadded), ATTEST_ROLE_OUT);
  std::vector<float> memory(static_cast<size_t>(ExtentElements(out)), 1.0F), other = memory;
  std::vector<std::byte> bytes, same;
  out.data = memory.data();
  AppendElements(out, bytes);
  EXPECT_EQ(bytes.size(), static_cast<size_t>(StoredElements(out)) * 4);
  other[8] = 2;  // behind the first row of 8
  out.data = other.data();
  AppendElements(out, same);
  EXPECT_EQ(same, bytes);
  other[7] = 2;
  same.clear();
  AppendElements(out, same);
  EXPECT_NE(same, bytes);
}

TEST(Tensors, LengthsAndOtherOutputsOnRequest) {
  attest_problem problem = Small();
  problem.dtype = ATTEST_BF16;
  problem.has_kv_lengths = 1;
  problem.outputs = ATTEST_OUTPUT_LSE | ATTEST_OUTPUT_WEIGHTS;
  const auto tensors = DescribeTensors(problem, Layout::kBnsh);
  EXPECT_EQ(Find(tensors, ATTEST_ROLE_KV_LENGTHS).dtype, ATTEST_I64);
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_KV_LENGTHS)), Four({2}));
  EXPECT_EQ(Find(tensors, ATTEST_ROLE_LSE).dtype, ATTEST_F32);
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_LSE)), Four({2, 6, 5}));
  EXPECT_EQ(Find(tensors, ATTEST_ROLE_WEIGHTS).dtype, ATTEST_BF16);
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_WEIGHTS)), Four({2, 6, 5, 7}));
  problem.dtype = ATTEST_F64;
  EXPECT_EQ(Find(DescribeTensors(problem, Layout::kBnsh), ATTEST_ROLE_LSE).dtype, ATTEST_F64);
  for (size_t i = 1; i < tensors.size(); ++i) EXPECT_LT(tensors[i - 1].role, tensors[i].role);
}

attest_problem SmallLayer() {
  attest_problem problem = Small();
  problem.op = ATTEST_OP_SELF_ATTENTION;
  problem.hidden_size = 10;
  problem.is_cross = problem.has_bias = problem.has_output_projection = 1;
  return problem;
}

std::set<int32_t> Roles(const attest_problem& problem) {
  std::set<int32_t> roles;
  for (const attest_tensor& tensor : DescribeTensors(problem, Layout::kBnsh))
    roles.insert(tensor.role);
  return roles;
}

TEST(Tensors, OfTheLayerAreThoseOfItsStructure) {
  using R = std::set<int32_t>;
  constexpr int32_t kX = ATTEST_ROLE_X, kXkv = ATTEST_ROLE_X_KV, kWq = ATTEST_ROLE_WQ,
                    kWk = ATTEST_ROLE_WK, kWv = ATTEST_ROLE_WV, kWo = ATTEST_ROLE_WO,
                    kBq = ATTEST_ROLE_BQ, kBk = ATTEST_ROLE_BK, kBv = ATTEST_ROLE_BV,
                    kBo = ATTEST_ROLE_BO, kOut = ATTEST_ROLE_OUT;
  attest_problem problem = SmallLayer();
  EXPECT_EQ(Roles(problem), R({kX, kXkv, kWq, kWk, kWv, kWo, kBq, kBk, kBv, kBo, kOut}));
  problem.structure = ATTEST_STRUCTURE_TIED_QK;
  EXPECT_EQ(Roles(problem), R({kX, kXkv, kWq, kWv, kWo, kBq, kBv, kBo, kOut}));
  problem.structure = ATTEST_STRUCTURE_MEAN_POOL;
  EXPECT_EQ(Roles(problem), R({kX, kXkv, kWv, kWo, kBv, kBo, kOut}));
  problem.has_bias = problem.has_output_projection = problem.is_cross = 0;
  EXPECT_EQ(Roles(problem), R({kX, kWv, kOut}));
  problem.structure = ATTEST_STRUCTURE_PARAMETER_FREE;
  EXPECT_EQ(Roles(problem), R({kX, kOut}));
}

TEST(Tensors, OfTheLayerHaveTheShapesOfNnLinear) {
  attest_problem problem = SmallLayer();
  const auto tensors = DescribeTensors(problem, Layout::kBnsh);
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_X)), Four({2, 5, 10}));
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_X_KV)), Four({2, 7, 10}));
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_WQ)), Four({24, 10}));
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_WK)), Four({12, 10}));
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_WV)), Four({24, 10}));
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_WO)), Four({10, 48}));
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_BO)), Four({10}));
  EXPECT_EQ(Shape(Find(tensors, ATTEST_ROLE_OUT)), Four({2, 5, 10}));
  const auto padded = DescribeTensors(problem, Layout::kBnshPadded);
  EXPECT_EQ(Strides(Find(padded, ATTEST_ROLE_X)), Four({80, 15, 1}));
  EXPECT_EQ(Strides(Find(padded, ATTEST_ROLE_WQ)), Four({15, 1}));
  EXPECT_EQ(Strides(Find(padded, ATTEST_ROLE_OUT)), Four({80, 15, 1}));
  const attest_tensor mapped = OutputRows(problem, Find(padded, ATTEST_ROLE_OUT));
  EXPECT_EQ(Shape(mapped), Four({2, 1, 5, 10}));
  EXPECT_EQ(Strides(mapped), Four({80, 10, 15, 1}));
  problem.has_output_projection = 0;
  const attest_tensor heads =
      OutputRows(problem, Find(DescribeTensors(problem, Layout::kBnsh), ATTEST_ROLE_OUT));
  EXPECT_EQ(Shape(heads), Four({2, 6, 5, 8}));
  EXPECT_EQ(Strides(heads), Four({240, 8, 48, 1}));
}

TEST(Tensors, OverflowIsRefused) {
  attest_problem problem = Small();
  problem.q_sequence_length = int64_t{1} << 60;
  EXPECT_THROW(DescribeTensors(problem, Layout::kBnsh), std::invalid_argument);
  problem.q_sequence_length = (int64_t{1} << 61) / 48;  // fits in elements, not in bytes
  EXPECT_THROW(DescribeTensors(problem, Layout::kBnsh), std::invalid_argument);
}

TEST(Tensors, PointersPointAtThem) {
  const auto tensors = DescribeTensors(Small(), Layout::kBnsh);
  const auto pointers = Pointers(tensors);
  ASSERT_EQ(pointers.size(), tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) EXPECT_EQ(pointers[i], &tensors[i]);
}

}  // namespace
}  // namespace attest
