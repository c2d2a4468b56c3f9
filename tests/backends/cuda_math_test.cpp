// SPDX-License-Identifier: Apache-2.0
//
// The index math that the CUDA kernels run, on the CPU, against brute force over the rules of
// abi.h.
#include "backends/cuda/index_math.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

namespace attest::cuda {
namespace {

constexpr int64_t kOff = -1;

SdpaShape MakeShape(int64_t q_length, int64_t kv_length) {
  SdpaShape shape{};
  shape.batch_size = 1;
  shape.q_num_heads = 1;
  shape.kv_num_heads = 1;
  shape.q_sequence_length = q_length;
  shape.kv_sequence_length = kv_length;
  shape.left_window_size = kOff;
  shape.right_window_size = kOff;
  return shape;
}

// abi.h's definition, key by key.
bool IsVisible(const SdpaShape& shape, int64_t i, int64_t j, const int64_t* kv_length) {
  const int64_t offset =
      kv_length == nullptr ? shape.causal_offset : *kv_length - shape.q_sequence_length;
  if (kv_length != nullptr && !(j < *kv_length)) return false;
  if (shape.is_causal && !(j <= i + offset)) return false;
  if (shape.left_window_size >= 0 && !(j >= i + offset - shape.left_window_size)) return false;
  if (shape.right_window_size >= 0 && !(j <= i + offset + shape.right_window_size)) return false;
  return true;
}

// The number of visible pairs, so that a caller can see that something was compared.
int64_t ExpectSameKeys(const SdpaShape& shape, const int64_t* kv_length) {
  int64_t visible = 0;
  for (int64_t i = 0; i < shape.q_sequence_length; ++i) {
    const KeyRange keys = VisibleKeys(shape, i, kv_length);
    EXPECT_GE(keys.begin, 0);
    EXPECT_LE(keys.end, shape.kv_sequence_length);
    for (int64_t j = 0; j < shape.kv_sequence_length; ++j) {
      const bool expected = IsVisible(shape, i, j, kv_length);
      EXPECT_EQ(j >= keys.begin && j < keys.end, expected) << "query " << i << ", key " << j;
      visible += expected;
    }
  }
  return visible;
}

TEST(VisibleKeys, AgreesWithTheRulesForEveryOffsetAndWindow) {
  int64_t visible = 0;
  for (const auto& [q_length, kv_length] : {std::pair{1, 1}, {1, 9}, {7, 5}, {5, 12}})
    for (const int causal : {0, 1})
      for (int64_t offset = -15; offset <= 15; ++offset)
        for (int64_t left = kOff; left <= 4; ++left)
          for (int64_t right = kOff; right <= 4; ++right) {
            SdpaShape shape = MakeShape(q_length, kv_length);
            shape.is_causal = causal;
            shape.causal_offset = offset;
            shape.left_window_size = left;
            shape.right_window_size = right;
            visible += ExpectSameKeys(shape, nullptr);
          }
  EXPECT_GT(visible, 0);
}

TEST(VisibleKeys, TakesLengthAndOffsetFromKvLengths) {
  int64_t visible = 0;
  for (const int causal : {0, 1})
    for (int64_t left = kOff; left <= 2; ++left)
      for (int64_t length = 0; length <= 9; ++length) {
        SdpaShape shape = MakeShape(4, 9);
        shape.is_causal = causal;
        shape.causal_offset = 100;  // must not count: the length gives the offset
        shape.left_window_size = left;
        visible += ExpectSameKeys(shape, &length);
      }
  EXPECT_GT(visible, 0);
}

TEST(RowOf, CountsEveryRowOnce) {
  SdpaShape shape = MakeShape(5, 3);
  shape.batch_size = 3;
  shape.q_num_heads = 4;
  ASSERT_EQ(RowCount(shape), 60);
  std::set<std::tuple<int64_t, int64_t, int64_t>> seen;
  for (int64_t row = 0; row < RowCount(shape); ++row) {
    const Row r = RowOf(shape, row);
    EXPECT_EQ((r.b * shape.q_num_heads + r.h) * shape.q_sequence_length + r.i, row);
    EXPECT_LT(r.b, 3);
    EXPECT_LT(r.h, 4);
    EXPECT_LT(r.i, 5);
    seen.insert({r.b, r.h, r.i});
  }
  EXPECT_EQ(seen.size(), 60u);
}

TEST(KvHead, GivesEachKvHeadItsGroupOfNeighbours) {
  for (const auto& [q_heads, kv_heads] : {std::pair{1, 1}, {12, 12}, {12, 4}, {12, 1}, {32, 8}}) {
    SdpaShape shape = MakeShape(1, 1);
    shape.q_num_heads = q_heads;
    shape.kv_num_heads = kv_heads;
    int64_t head = 0;
    for (int64_t kv = 0; kv < kv_heads; ++kv)
      for (int64_t member = 0; member < q_heads / kv_heads; ++member)
        EXPECT_EQ(KvHead(shape, head++), kv);
    EXPECT_EQ(head, q_heads);
  }
}

TEST(Offset, WalksBnshBsnhAndPaddedTensors) {
  constexpr int64_t kB = 2, kH = 3, kL = 4, kD = 5;
  const Strides bnsh = {kH * kL * kD, kL * kD, kD, 1};
  const Strides bsnh = {kL * kH * kD, kD, kH * kD, 1};
  const Strides padded = {kH * kL * 16, kL * 16, 16, 2};
  for (const Strides& strides : {bnsh, bsnh, padded}) {
    std::set<int64_t> seen;
    for (int64_t b = 0; b < kB; ++b)
      for (int64_t h = 0; h < kH; ++h)
        for (int64_t l = 0; l < kL; ++l)
          for (int64_t c = 0; c < kD; ++c) seen.insert(Offset(strides, b, h, l, c));
    EXPECT_EQ(seen.size(), static_cast<size_t>(kB * kH * kL * kD));
    EXPECT_EQ(*seen.begin(), 0);
  }
  EXPECT_EQ(Offset(bnsh, 1, 2, 3, 4), kB * kH * kL * kD - 1);
  EXPECT_EQ(Offset(bsnh, 1, 2, 3, 4), kB * kH * kL * kD - 1);
  EXPECT_EQ(Offset(bsnh, 0, 1, 0, 0), kD);
}

TEST(Offset, PassesTwoToTheThirtyFirst) {
  const Strides strides = {int64_t{1} << 40, int64_t{1} << 35, 128, 1};
  EXPECT_EQ(Offset(strides, 3, 7, (int64_t{1} << 27) - 1, 127),
            3 * (int64_t{1} << 40) + 7 * (int64_t{1} << 35) + (int64_t{1} << 34) - 1);
}

}  // namespace
}  // namespace attest::cuda
