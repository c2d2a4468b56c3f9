// SPDX-License-Identifier: Apache-2.0
//
// Visibility and the count of visible pairs against the rules spelled out pair by pair.
#include "reference/mask.h"

#include <gtest/gtest.h>

#include <limits>

#include "case.h"
#include "reference/oracle.h"

namespace attest::reference {
namespace {

int64_t BruteForce(const Case& c) {
  const attest_problem& p = c.Problem();
  int64_t count = 0;
  for (int64_t b = 0; b < p.batch_size; ++b) {
    for (int64_t h = 0; h < p.q_num_heads; ++h) {
      for (int64_t i = 0; i < p.q_sequence_length; ++i) {
        for (int64_t j = 0; j < p.kv_sequence_length; ++j) count += c.IsVisible(b, h, i, j);
      }
    }
  }
  return count;
}

TEST(CountVisiblePairs, MatchesBruteForce) {
  for (const int32_t causal : {0, 1}) {
    for (const int64_t offset : {-30, -1, 0, 6, 50}) {
      for (const int64_t left : {-1, 0, 5}) {
        for (const int64_t right : {-1, 0, 4}) {
          for (const int32_t boolean : {0, 1, 2}) {
            attest_problem p = MakeProblem(3, 1, 19, 23, 2, 2);
            p.batch_size = 2;
            p.is_causal = causal;
            p.causal_offset = offset;
            p.left_window_size = left;
            p.right_window_size = right;
            p.attn_mask = boolean != 0 ? ATTEST_MASK_BOOLEAN : ATTEST_MASK_NONE;
            p.has_kv_lengths = offset == 6 ? 1 : 0;
            Case c(p, "normal", 1);
            if (boolean != 0) c.AddMask(2, boolean == 2);
            if (p.has_kv_lengths != 0) c.AddLengths({23, 7});
            ASSERT_EQ(CountVisiblePairs(p, c.Tensors()), BruteForce(c));
          }
        }
      }
    }
  }
}

TEST(CountVisiblePairs, NeedsNoTensorsForRulesAlone) {
  attest_problem p = MakeProblem(12, 12, 512, 512, 64, 64);
  p.is_causal = 1;
  EXPECT_EQ(CountVisiblePairs(p, {}), 12 * 512 * 513 / 2);
  p.attn_mask = ATTEST_MASK_ADDITIVE;
  EXPECT_EQ(CountVisiblePairs(p, {}), 12 * 512 * 513 / 2);
  p.attn_mask = ATTEST_MASK_BOOLEAN;
  EXPECT_THROW(CountVisiblePairs(p, {}), std::invalid_argument);
  p.attn_mask = ATTEST_MASK_NONE;
  p.has_kv_lengths = 1;
  EXPECT_THROW(CountVisiblePairs(p, {}), std::invalid_argument);
}

TEST(Mask, HugeOffsetsAndWindowsDoNotOverflow) {
  attest_problem p = MakeProblem(1, 1, 4, 10, 2, 2);
  p.is_causal = 1;
  p.causal_offset = std::numeric_limits<int64_t>::max();
  p.right_window_size = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(CountVisiblePairs(p, {}), 40);
  p.causal_offset = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(CountVisiblePairs(p, {}), 0);
}

TEST(Mask, RefusesLengthsOutsideTheKeys) {
  attest_problem p = MakeProblem(1, 1, 4, 10, 2, 2);
  p.has_kv_lengths = 1;
  for (const int64_t length : {-1, 11}) {
    Case c(p, "normal", 1);
    c.AddLengths({length});
    EXPECT_THROW(Mask(p, c.Tensors()), std::invalid_argument);
  }
}

}  // namespace
}  // namespace attest::reference
