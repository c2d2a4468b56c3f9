// SPDX-License-Identifier: Apache-2.0
//
// VisibleKeys against abi.h's rules taken word by word, one pair at a time.
#include "attest/sdpa.hpp"

#include <vector>

#include "gtest/gtest.h"

namespace attest {
namespace {

bool Visible(const attest_problem& problem, int64_t kv_length, int64_t i, int64_t j) {
  const int64_t offset =
      problem.has_kv_lengths ? kv_length - problem.q_sequence_length : problem.causal_offset;
  if (problem.is_causal && j > i + offset) return false;
  if (problem.left_window_size >= 0 && j < i + offset - problem.left_window_size) return false;
  if (problem.right_window_size >= 0 && j > i + offset + problem.right_window_size) return false;
  return j < kv_length;
}

void ExpectAgreement(const attest_problem& problem, int64_t kv_length) {
  for (int64_t i = 0; i < problem.q_sequence_length; ++i) {
    const KeySpan keys = VisibleKeys(problem, kv_length, i);
    ASSERT_LE(0, keys.begin);
    ASSERT_LE(keys.begin, keys.end);
    ASSERT_LE(keys.end, problem.kv_sequence_length);
    for (int64_t j = 0; j < problem.kv_sequence_length; ++j)
      ASSERT_EQ(j >= keys.begin && j < keys.end, Visible(problem, kv_length, i, j))
          << "i " << i << " j " << j << " causal " << problem.is_causal << " offset "
          << problem.causal_offset << " windows " << problem.left_window_size << " "
          << problem.right_window_size << " length " << kv_length;
  }
}

TEST(VisibleKeys, AgreesWithTheRules) {
  attest_problem problem{};
  problem.q_sequence_length = 6;
  problem.kv_sequence_length = 7;
  for (problem.is_causal = 0; problem.is_causal < 2; ++problem.is_causal)
    for (problem.left_window_size = -1; problem.left_window_size < 4; ++problem.left_window_size)
      for (problem.right_window_size = -1; problem.right_window_size < 4;
           ++problem.right_window_size) {
        problem.has_kv_lengths = 0;
        for (problem.causal_offset = -9; problem.causal_offset <= 9; ++problem.causal_offset)
          ExpectAgreement(problem, problem.kv_sequence_length);
        problem.has_kv_lengths = 1;
        for (int64_t length = 0; length <= problem.kv_sequence_length; ++length)
          ExpectAgreement(problem, length);
      }
}

TEST(KvLength, ComesFromTheTensorOnlyWhereTheProblemHasLengths) {
  attest_problem problem{};
  problem.kv_sequence_length = 9;
  std::vector<int64_t> lengths = {4, -1, 2};
  attest_tensor tensor{};
  tensor.data = lengths.data();
  tensor.strides[0] = 2;
  EXPECT_EQ(KvLength(problem, nullptr, 1), 9);
  problem.has_kv_lengths = 1;
  EXPECT_EQ(KvLength(problem, &tensor, 1), 2);
}

TEST(RowOf, FollowsTheStrides) {
  std::vector<float> data(100);
  attest_tensor tensor{};
  tensor.data = data.data();
  tensor.strides[0] = 50;
  tensor.strides[1] = 7;
  tensor.strides[2] = 3;
  EXPECT_EQ(RowOf<float>(tensor, 1, 2, 4), data.data() + 50 + 14 + 12);
}

}  // namespace
}  // namespace attest
