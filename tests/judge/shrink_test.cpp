// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/shrink.h"

#include <gtest/gtest.h>

#include <string>

#include "harness/core/problem.h"
#include "harness/core/sweep.h"

namespace attest::judge {
namespace {

Cell CellOf(const Axes& more = {}) {
  Axes axes = {{"seq", "197"},      {"heads", "6"},        {"kv-heads", "2"},
               {"head-size", "40"}, {"v-head-size", "24"}, {"batch", "3"}};
  for (const auto& [name, value] : more) axes[name] = value;
  return ExpandSweep({axes}, {}, 7).at(0);
}

// The id of the smallest cell found by a search without limits.
std::string SmallestId(const Cell& cell, const std::function<bool(const attest_problem&)>& fails) {
  const Shrunk shrunk =
      Shrink(cell, [&](const Cell& smaller) { return fails(smaller.problem); }, {1e9, 100000});
  EXPECT_TRUE(shrunk.minimal);
  EXPECT_TRUE(IsReduction(shrunk.cell, cell)) << CellId(shrunk.cell);
  EXPECT_EQ(shrunk.cell.seed, cell.seed);
  return CellId(shrunk.cell);
}

TEST(Shrink, WhatAlwaysFailsShrinksToOneElementAtOnce) {
  int tries = 0;
  const Shrunk shrunk = Shrink(CellOf(), [&](const Cell&) { return ++tries > 0; }, {});
  EXPECT_EQ(CellId(shrunk.cell), "sdpa/f32/b1/h1/kv1/q1/k1/d1");
  EXPECT_EQ(tries, 1);
}

TEST(Shrink, FindsTheLeastLengthThatFails) {
  for (const int64_t least : {2, 3, 64, 65, 66, 128, 129, 197})
    EXPECT_EQ(SmallestId(CellOf(),
                         [&](const attest_problem& p) { return p.kv_sequence_length >= least; }),
              "sdpa/f32/b1/h1/kv1/q1/k" + std::to_string(least) + "/d1");
}

TEST(Shrink, KeepsEqualLengthsWhereOthersDoNotFail) {
  EXPECT_EQ(SmallestId(CellOf(),
                       [](const attest_problem& p) {
                         return p.q_sequence_length == p.kv_sequence_length &&
                                p.kv_sequence_length > 16;
                       }),
            "sdpa/f32/b1/h1/kv1/q17/k17/d1");
}

TEST(Shrink, KeepsHeadsAndGroupsThatMatter) {
  EXPECT_EQ(SmallestId(CellOf(),
                       [](const attest_problem& p) {
                         return p.kv_num_heads > 1 && p.q_num_heads > p.kv_num_heads;
                       }),
            "sdpa/f32/b1/h4/kv2/q1/k1/d1");
}

TEST(Shrink, DropsWhatDoesNotMatter) {
  const Cell cell = CellOf({{"causal", "bottom_right"},
                            {"kv-len", "250"},
                            {"window", "20:5"},
                            {"softcap", "2"},
                            {"mask", "additive"},
                            {"mask-shape", "full"},
                            {"layout", "bsnh"},
                            {"lse", "1"},
                            {"data", "peaky"},
                            {"scale", "0.5"}});
  EXPECT_EQ(SmallestId(cell, [](const attest_problem&) { return true; }),
            "sdpa/f32/b1/h1/kv1/q1/k1/d1");
  EXPECT_EQ(SmallestId(cell, [](const attest_problem& p) { return p.softcap > 0; }),
            "sdpa/f32/b1/h1/kv1/q1/k1/d1/softcap2");
  EXPECT_EQ(SmallestId(cell, [](const attest_problem& p) { return p.attn_mask != 0; }),
            "sdpa/f32/b1/h1/kv1/q1/k1/d1/mask-add");
}

TEST(Shrink, TheDiagonalStaysAtTheBottomRight) {
  const Cell cell = CellOf({{"causal", "bottom_right"}, {"kv-len", "250"}});
  EXPECT_EQ(SmallestId(cell,
                       [](const attest_problem& p) {
                         return p.is_causal != 0 && p.causal_offset > 0 &&
                                p.q_sequence_length + p.causal_offset == p.kv_sequence_length;
                       }),
            "sdpa/f32/b1/h1/kv1/q1/k2/d1/causal+1");
}

TEST(Shrink, WhatOnlyFailsAsItIsStays) {
  const Cell cell = CellOf();
  const Shrunk shrunk = Shrink(cell, [](const Cell&) { return false; }, {1e9, 100000});
  EXPECT_EQ(CellId(shrunk.cell), CellId(cell));
  EXPECT_TRUE(shrunk.minimal);
}

TEST(Shrink, StopsAtItsLimitAndSaysSo) {
  int tries = 0;
  const auto fails = [&](const Cell& cell) {
    ++tries;
    return cell.problem.kv_sequence_length > 100 && cell.problem.head_size > 30;
  };
  const Shrunk shrunk = Shrink(CellOf(), fails, {1e9, 12});
  EXPECT_EQ(shrunk.tries, 12);
  EXPECT_EQ(tries, 12);
  EXPECT_FALSE(shrunk.minimal);
  EXPECT_FALSE(Shrink(CellOf(), fails, {0, 1000}).minimal);
}

TEST(IsReduction, ComparesEverySizeAndFeature) {
  const Cell cell = CellOf({{"causal", "causal"}, {"mask", "boolean"}});
  EXPECT_TRUE(IsReduction(cell, cell));
  EXPECT_TRUE(IsReduction(CellOf({{"seq", "5"}, {"kv-len", "9"}, {"causal", "causal"}}), cell));
  EXPECT_FALSE(IsReduction(CellOf({{"kv-len", "198"}}), cell));
  EXPECT_FALSE(IsReduction(CellOf({{"heads", "8"}}), cell)) << "a larger group";
  EXPECT_FALSE(IsReduction(CellOf({{"causal", "+1"}}), cell));
  EXPECT_FALSE(IsReduction(CellOf({{"mask", "additive"}}), cell));
  EXPECT_FALSE(IsReduction(CellOf({{"softcap", "2"}}), cell));
  EXPECT_FALSE(IsReduction(CellOf({{"window", "3:-1"}}), cell));
  EXPECT_FALSE(IsReduction(CellOf({{"dtype", "bf16"}}), cell));
  EXPECT_FALSE(IsReduction(CellOf({{"data", "peaky"}}), cell));
  EXPECT_FALSE(IsReduction(CellOf({{"scale", "0.5"}}), cell));
  EXPECT_FALSE(IsReduction(CellOf({{"lse", "1"}}), cell));
}

}  // namespace
}  // namespace attest::judge
