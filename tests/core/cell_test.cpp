// SPDX-License-Identifier: Apache-2.0
//
// Names of cells: stable, ASCII, and different for different cells.
#include "harness/core/cell.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <vector>

namespace attest {
namespace {

Cell Usual() {
  Cell cell;
  cell.problem.q_num_heads = 12;
  cell.problem.q_sequence_length = 512;
  cell.problem.head_size = 64;
  cell.problem.kv_num_heads = cell.problem.kv_sequence_length = cell.problem.v_head_size = 0;
  ResolveProblem(cell.problem);
  return cell;
}

TEST(CellId, OfAUsualCellIsItsShape) {
  EXPECT_EQ(CellId(Usual()), "sdpa/f32/b1/h12/kv12/q512/k512/d64");
  EXPECT_EQ(BenchmarkName(Usual(), "some:variant@1"),
            "sdpa/some:variant@1/f32/b1/h12/kv12/q512/k512/d64");
}

TEST(CellId, AppendsEveryUnusualFieldInAFixedOrder) {
  Cell cell = Usual();
  cell.problem.v_head_size = 32;
  cell.problem.scale = 0.5;
  cell.problem.is_causal = 1;
  cell.problem.left_window_size = 64;
  cell.problem.right_window_size = 0;
  cell.problem.softcap = 30;
  cell.problem.attn_mask = ATTEST_MASK_BOOLEAN;
  cell.mask_shape = MaskShape::kHead;
  cell.layout = Layout::kBsnhPadded;
  cell.problem.outputs = ATTEST_OUTPUT_LSE | ATTEST_OUTPUT_WEIGHTS;
  cell.data = "peaky";
  EXPECT_EQ(CellId(cell),
            "sdpa/f32/b1/h12/kv12/q512/k512/d64/dv32/scale0.5/causal+0/window64,0/softcap30/"
            "mask-bool-head/bsnh_padded/lse/weights/peaky");
}

// Each change alone gives another name, and so do two together.
TEST(CellId, DifferentCellsNeverShareOne) {
  const std::vector<std::function<void(Cell&)>> changes = {
      [](Cell& c) { c.problem.dtype = ATTEST_F16; },
      [](Cell& c) { c.problem.batch_size = 2; },
      [](Cell& c) { c.problem.q_num_heads = 24; },
      [](Cell& c) { c.problem.kv_num_heads = 4; },
      [](Cell& c) { c.problem.q_sequence_length = 511; },
      [](Cell& c) { c.problem.kv_sequence_length = 511; },
      [](Cell& c) { c.problem.v_head_size = 63; },
      [](Cell& c) { c.problem.scale = 1; },
      [](Cell& c) { c.problem.softcap = 30; },
      [](Cell& c) { c.problem.is_causal = 1; },
      [](Cell& c) { c.problem.is_causal = 1, c.problem.causal_offset = -1; },
      [](Cell& c) { c.problem.left_window_size = 0; },
      [](Cell& c) { c.problem.right_window_size = 0; },
      [](Cell& c) { c.problem.attn_mask = ATTEST_MASK_BOOLEAN; },
      [](Cell& c) { c.problem.attn_mask = ATTEST_MASK_ADDITIVE; },
      [](Cell& c) { c.problem.has_kv_lengths = 1; },
      [](Cell& c) { c.problem.outputs |= ATTEST_OUTPUT_LSE; },
      [](Cell& c) { c.problem.outputs |= ATTEST_OUTPUT_WEIGHTS; },
      [](Cell& c) { c.layout = Layout::kBsnh; },
      [](Cell& c) { c.layout = Layout::kBnshPadded; },
      [](Cell& c) { c.layout = Layout::kBsnhPadded; },
      [](Cell& c) { c.data = "tiny"; },
  };
  std::set<std::string> names = {CellId(Usual())};
  for (int32_t mask : {ATTEST_MASK_BOOLEAN, ATTEST_MASK_ADDITIVE})
    for (int shape = 1; shape < kMaskShapeCount; ++shape) {
      Cell cell = Usual();
      cell.problem.attn_mask = mask;
      cell.mask_shape = static_cast<MaskShape>(shape);
      EXPECT_TRUE(names.insert(CellId(cell)).second) << CellId(cell);
    }
  for (const auto& change : changes) {
    Cell cell = Usual();
    change(cell);
    EXPECT_TRUE(names.insert(CellId(cell)).second) << CellId(cell);
  }
  for (const std::string& name : names)
    EXPECT_TRUE(std::all_of(name.begin(), name.end(), [](char c) { return c > 32 && c < 127; }));
}

TEST(CellId, HasNoSeedInIt) {
  Cell cell = Usual();
  cell.seed = 99;
  EXPECT_EQ(CellId(cell), CellId(Usual()));
}

TEST(ResultLabel, LeavesOutWhatGoesWithoutSaying) {
  EXPECT_EQ(ResultLabel("a", "b", 0), "a:b");
  EXPECT_EQ(ResultLabel("a", "b", 1), "a:b@1");
  EXPECT_EQ(ResultLabel("a", "", 0), "a");
  EXPECT_EQ(ResultLabel("a", "", 2), "a@2");
}

}  // namespace
}  // namespace attest
