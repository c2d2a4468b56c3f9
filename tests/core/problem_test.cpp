// SPDX-License-Identifier: Apache-2.0
//
// The rules of problems, one broken at a time, and how much work a problem is.
#include "harness/core/problem.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <stdexcept>

#include "harness/core/tensors.h"

namespace attest {
namespace {

attest_problem Open() {
  attest_problem problem = DefaultProblem();
  problem.q_num_heads = 6;
  problem.q_sequence_length = 10;
  problem.head_size = 16;
  problem.kv_num_heads = problem.kv_sequence_length = problem.v_head_size = 0;
  return problem;
}

attest_problem Resolved(const std::function<void(attest_problem&)>& change = {}) {
  attest_problem problem = Open();
  if (change) change(problem);
  ResolveProblem(problem);
  return problem;
}

TEST(Problem, WhatIsOpenIsResolved) {
  const attest_problem problem = Resolved();
  EXPECT_EQ(problem.kv_num_heads, 6);
  EXPECT_EQ(problem.kv_sequence_length, 10);
  EXPECT_EQ(problem.v_head_size, 16);
  EXPECT_EQ(problem.scale, 0.25);
  EXPECT_EQ(problem.left_window_size, -1);
  EXPECT_EQ(problem.right_window_size, -1);
  EXPECT_EQ(problem.size, sizeof problem);
}

TEST(Problem, WhatIsGivenIsKept) {
  const attest_problem problem = Resolved([](attest_problem& p) {
    p.kv_num_heads = 3, p.kv_sequence_length = 20, p.v_head_size = 8, p.scale = -2;
  });
  EXPECT_EQ(problem.kv_num_heads, 3);
  EXPECT_EQ(problem.kv_sequence_length, 20);
  EXPECT_EQ(problem.v_head_size, 8);
  EXPECT_EQ(problem.scale, -2);
}

TEST(Problem, EveryRuleIsChecked) {
  using P = attest_problem;
  const struct {
    const char* field;
    std::function<void(P&)> breaks;
  } rules[] = {
      {"batch_size", [](P& p) { p.batch_size = 0; }},
      {"q_num_heads", [](P& p) { p.q_num_heads = -1; }},
      {"kv_num_heads", [](P& p) { p.kv_num_heads = -6; }},
      {"kv_num_heads", [](P& p) { p.kv_num_heads = 4; }},
      {"kv_num_heads", [](P& p) { p.kv_num_heads = 12; }},
      {"q_sequence_length", [](P& p) { p.q_sequence_length = 0, p.kv_sequence_length = 1; }},
      {"kv_sequence_length", [](P& p) { p.kv_sequence_length = -1; }},
      {"head_size", [](P& p) { p.head_size = 0, p.v_head_size = 1; }},
      {"v_head_size", [](P& p) { p.v_head_size = -1; }},
      {"dtype", [](P& p) { p.dtype = ATTEST_BOOL; }},
      {"scale", [](P& p) { p.scale = NAN; }},
      {"scale", [](P& p) { p.scale = HUGE_VAL; }},
      {"softcap", [](P& p) { p.softcap = -1; }},
      {"softcap", [](P& p) { p.softcap = NAN; }},
      {"window", [](P& p) { p.left_window_size = -2; }},
      {"window", [](P& p) { p.right_window_size = -2; }},
      {"op", [](P& p) { p.op = 0; }},
      {"mask", [](P& p) { p.attn_mask = 3; }},
      {"structure", [](P& p) { p.structure = 4; }},
  };
  for (const auto& rule : rules) {
    try {
      Resolved(rule.breaks);
      ADD_FAILURE() << rule.field << " was accepted";
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(rule.field), std::string::npos) << error.what();
    }
  }
}

TEST(Problem, CausalAlignments) {
  const auto alignment = [](int64_t offset, int64_t keys) {
    return CausalAlignment(Resolved([&](attest_problem& p) {
      p.is_causal = 1, p.causal_offset = offset, p.kv_sequence_length = keys;
    }));
  };
  EXPECT_EQ(CausalAlignment(Resolved()), "");
  EXPECT_EQ(alignment(0, 10), "top_left");
  EXPECT_EQ(alignment(0, 30), "top_left");
  EXPECT_EQ(alignment(20, 30), "bottom_right");
  EXPECT_EQ(alignment(-3, 7), "bottom_right");
  EXPECT_EQ(alignment(5, 30), "past");
}

TEST(Work, CountsVisiblePairsExactly) {
  const auto work = [](const std::function<void(attest_problem&)>& change) {
    const attest_problem problem = Resolved(change);
    const auto tensors = DescribeTensors(problem, Layout::kBnsh);
    return WorkOf(problem, Pointers(tensors));
  };
  const Work full = work({});
  EXPECT_EQ(full.flops, 2.0 * 6 * 100 * (16 + 16));
  EXPECT_EQ(full.flops_unmasked, full.flops);
  EXPECT_EQ(full.bytes_min, 4.0 * 4 * 6 * 10 * 16);
  const Work causal = work([](attest_problem& p) { p.is_causal = 1; });
  EXPECT_EQ(causal.flops, 2.0 * 6 * 55 * 32);
  EXPECT_EQ(causal.flops_unmasked, full.flops);
  EXPECT_EQ(causal.bytes_min, full.bytes_min) << "the last query sees every key";
  const Work window = work([](attest_problem& p) { p.left_window_size = p.right_window_size = 0; });
  EXPECT_EQ(window.flops, 2.0 * 6 * 10 * 32);
  EXPECT_EQ(window.bytes_min, full.bytes_min);
  const Work early = work([](attest_problem& p) { p.is_causal = 1, p.causal_offset = -7; });
  EXPECT_EQ(early.bytes_min, 4.0 * 6 * 16 * (10 + 3 + 3 + 10)) << "keys 0 to 2 alone are seen";
  const Work decode = work([](attest_problem& p) {
    p.q_sequence_length = 1, p.kv_sequence_length = 10;
    p.is_causal = 1, p.causal_offset = 9, p.left_window_size = 3;
  });
  EXPECT_EQ(decode.bytes_min, 4.0 * 6 * 16 * (1 + 4 + 4 + 1)) << "the last four keys";
  // Grouped heads read K and V once for all their queries.
  const Work grouped = work([](attest_problem& p) { p.kv_num_heads = 1; });
  EXPECT_EQ(grouped.flops, full.flops);
  const auto layer = [](attest_problem& p) {
    p.op = ATTEST_OP_SELF_ATTENTION, p.hidden_size = 20, p.kv_num_heads = 3;
  };
  EXPECT_EQ(work(layer).flops, full.flops + 2.0 * 10 * 20 * (96 + 48 + 48));
  EXPECT_EQ(work([&](attest_problem& p) { layer(p), p.has_output_projection = 1; }).flops,
            full.flops + 2.0 * 10 * 20 * (96 + 48 + 48 + 96));
  EXPECT_EQ(
      work([&](attest_problem& p) { layer(p), p.structure = ATTEST_STRUCTURE_MEAN_POOL; }).flops,
      full.flops / 2 + 2.0 * 10 * 20 * 48);
  const Work tied = work([&](attest_problem& p) {
    layer(p), p.kv_num_heads = 6, p.structure = ATTEST_STRUCTURE_TIED_QK;
  });
  EXPECT_EQ(tied.flops, full.flops + 2.0 * 10 * 20 * (96 + 96));
  EXPECT_EQ(grouped.bytes_min, 4.0 * (2 * 6 + 2 * 1) * 10 * 16);
}

}  // namespace
}  // namespace attest
