// SPDX-License-Identifier: Apache-2.0
#include "attest/linear.hpp"

#include <memory>
#include <stdexcept>
#include <vector>

#include "gtest/gtest.h"

namespace attest::linear {
namespace {

attest_tensor Tensor(int32_t role, std::vector<int64_t> shape, std::vector<int64_t> strides) {
  attest_tensor tensor{};
  tensor.role = role;
  tensor.rank = static_cast<int32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), tensor.shape);
  std::copy(strides.begin(), strides.end(), tensor.strides);
  return tensor;
}

// x [batch, length, in] with `gap` elements behind rows and entries, and so y.
LinearMap Map(int64_t batch, int64_t length, int64_t in, int64_t out, int64_t row_gap,
              int64_t batch_gap) {
  const int64_t x = in + row_gap, y = out + row_gap;
  return {Tensor(ATTEST_ROLE_X, {batch, length, in}, {length * x + batch_gap, x, 1}),
          Tensor(ATTEST_ROLE_WQ, {out, in}, {in, 1}), attest_tensor{},
          Tensor(ATTEST_ROLE_Q, {batch, length, out}, {length * y + batch_gap, y, 1})};
}

TEST(Shape, EntriesOfTheBatchAreOneMatrixWhereTheirRowsFollow) {
  const Shape dense(Map(3, 5, 7, 4, 0, 0)), padded_rows(Map(3, 5, 7, 4, 2, 0));
  const Shape apart(Map(3, 5, 7, 4, 2, 1));
  EXPECT_EQ(dense.matrices, 1);
  EXPECT_EQ(dense.rows, 15);
  EXPECT_EQ(padded_rows.matrices, 1);
  EXPECT_EQ(apart.matrices, 3);
  EXPECT_EQ(apart.rows, 5);
  EXPECT_EQ(apart.in, 7);
  EXPECT_EQ(apart.out, 4);
}

TEST(Tiles, CoverEveryElementOnceAndKeepToTheLargestSize) {
  const TileSizes most{96, 48, 16};
  for (const int64_t rows : {1, 2, 31, 32, 33, 95, 96, 97, 200})
    for (const int64_t out : {1, 3, 15, 16, 17, 47, 48, 49, 131})
      for (const unsigned threads : {1u, 2u, 7u}) {
        const Tiles tiles(Shape(Map(2, rows, 5, out, 1, 3)), threads, most);
        std::vector<int> covered(2 * rows * out);
        for (int64_t index = 0; index < tiles.count(); ++index) {
          const Tile tile = tiles[index];
          ASSERT_GT(tile.rows, 0);
          ASSERT_GT(tile.columns, 0);
          ASSERT_LE(tile.rows, std::min(most.rows, tiles[0].rows));
          ASSERT_LE(tile.columns, std::min(most.columns, tiles[0].columns));
          for (int64_t row = tile.row; row < tile.row + tile.rows; ++row)
            for (int64_t column = tile.column; column < tile.column + tile.columns; ++column)
              ++covered.at((tile.matrix * rows + row) * out + column);
        }
        for (const int count : covered) ASSERT_EQ(count, 1) << rows << " " << out << " " << threads;
      }
}

TEST(Tiles, AreTwoAThreadWhereThereIsEnough) {
  const TileSizes most{512, 384, 48};
  EXPECT_GE(Tiles(Shape(Map(1, 512, 768, 768, 0, 0)), 2, most).count(), 4);
  EXPECT_GE(Tiles(Shape(Map(1, 1, 768, 768, 0, 0)), 4, most).count(), 8);   // one row: columns only
  EXPECT_GE(Tiles(Shape(Map(1, 512, 768, 48, 0, 0)), 4, most).count(), 8);  // one unit: rows only
  EXPECT_EQ(Tiles(Shape(Map(1, 8, 768, 48, 0, 0)), 4, most).count(), 1);    // neither
}

struct PlainProduct {
  using Operand = float;
  static constexpr TileSizes kTile{40, 24, 8};
  bool fails = false;

  void Multiply(const Step& step, const float* x, const float* w, const float* bias, float* y) {
    if (fails) throw std::runtime_error("broken");
    for (int64_t i = 0; i < step.rows; ++i)
      for (int64_t n = 0; n < step.columns; ++n) {
        float sum = bias == nullptr ? 0 : bias[n];
        for (int64_t c = 0; c < step.in; ++c)
          sum += x[i * step.x_stride + c] * w[n * step.w_stride + c];
        y[i * step.y_stride + n] = sum;
      }
  }
};

// A layer without sdpa's details: hidden 5, one head of 9, biases, an output map; rows of X apart.
template <typename Io>
void ExpectRightProducts(int64_t x_step) {
  constexpr int64_t kBatch = 2, kLength = 83, kHidden = 5, kSize = 9;
  attest_problem problem{};
  problem.op = ATTEST_OP_SELF_ATTENTION;
  problem.batch_size = kBatch;
  problem.q_num_heads = problem.kv_num_heads = 1;
  problem.q_sequence_length = problem.kv_sequence_length = kLength;
  problem.head_size = problem.v_head_size = kSize;
  problem.hidden_size = kHidden;
  problem.has_bias = 1;
  std::vector<std::vector<Io>> memory;
  std::vector<attest_tensor> tensors;
  const auto add = [&](int32_t role, std::vector<int64_t> shape, std::vector<int64_t> strides) {
    attest_tensor tensor = Tensor(role, shape, strides);
    memory.emplace_back(shape[0] * strides[0]);
    for (size_t i = 0; i < memory.back().size(); ++i)  // small whole numbers: exact in every type
      Narrow(static_cast<float>(static_cast<int>((i * 7 + role) % 5) - 2), &memory.back()[i]);
    tensor.data = memory.back().data();
    tensors.push_back(tensor);
  };
  const int64_t row = kHidden * x_step + 3;
  add(ATTEST_ROLE_X, {kBatch, kLength, kHidden}, {kLength * row + 2, row, x_step});
  for (const int32_t role : {ATTEST_ROLE_WQ, ATTEST_ROLE_WK, ATTEST_ROLE_WV})
    add(role, {kSize, kHidden}, {kHidden, 1});
  for (const int32_t role : {ATTEST_ROLE_BQ, ATTEST_ROLE_BK, ATTEST_ROLE_BV})
    add(role, {kSize}, {1});
  add(ATTEST_ROLE_OUT, {kBatch, kLength, kSize}, {kLength * kSize, kSize, 1});
  std::vector<Io> stored(3 * kBatch * kLength * kSize);
  Io* const q = stored.data();
  const int64_t part = kBatch * kLength * kSize;
  const LayerParts parts(problem, PointersTo(tensors), ATTEST_F32,
                         {q, q + part, q + 2 * part, nullptr});
  ThreadPool pool(2);
  Linear<Io, PlainProduct> linear(parts, pool, std::vector<PlainProduct>(2));
  linear.Run(parts.before());
  for (const LinearMap& map : parts.before())
    for (int64_t b = 0; b < kBatch; ++b)
      for (int64_t i = 0; i < kLength; ++i)
        for (int64_t n = 0; n < kSize; ++n) {
          const auto at = [](const attest_tensor& tensor, int64_t offset) {
            return Widen(static_cast<const Io*>(tensor.data)[offset]);
          };
          float expected = at(map.bias, n);
          for (int64_t c = 0; c < kHidden; ++c)
            expected += at(map.x, b * map.x.strides[0] + i * map.x.strides[1] + c * x_step) *
                        at(map.weight, n * kHidden + c);
          ASSERT_EQ(at(map.y, (b * kLength + i) * kSize + n), expected)
              << map.weight.role << " " << b << " " << i << " " << n;
        }
  Linear<Io, PlainProduct> broken(parts, pool, {PlainProduct{true}, PlainProduct{true}});
  EXPECT_THROW(broken.Run(parts.before()), std::runtime_error);
}

TEST(Linear, MultipliesF32InPlace) { ExpectRightProducts<float>(1); }
TEST(Linear, StagesElementsThatLieApart) { ExpectRightProducts<float>(2); }
TEST(Linear, ConvertsHalves) { ExpectRightProducts<Half>(1); }
TEST(Linear, ConvertsBfloat16) { ExpectRightProducts<Bfloat16>(2); }

}  // namespace
}  // namespace attest::linear
