// SPDX-License-Identifier: Apache-2.0
//
// The command line that shows one result again: the options of harness/core/sweep.h.
#include <fmt/format.h>

#include <cmath>

#include "harness/judge/contender.h"

namespace attest::judge {
namespace {

std::string Options(const Cell& cell) {
  const attest_problem& p = cell.problem;
  std::string text;
  if (p.v_head_size != p.head_size) text += fmt::format(" --v-head-size {}", p.v_head_size);
  if (p.batch_size != 1) text += fmt::format(" --batch {}", p.batch_size);
  if (p.kv_num_heads != p.q_num_heads) text += fmt::format(" --kv-heads {}", p.kv_num_heads);
  // Said of full attention, too: the default suite has both.
  text += p.is_causal ? fmt::format(" --causal={:+}", p.causal_offset) : " --causal full";
  if (p.left_window_size >= 0 || p.right_window_size >= 0)
    text += fmt::format(" --window={}:{}", p.left_window_size, p.right_window_size);
  if (p.softcap != 0) text += fmt::format(" --softcap {}", p.softcap);
  if (p.scale != 1 / std::sqrt(static_cast<double>(p.head_size)))
    text += fmt::format(" --scale {}", p.scale);
  if (p.attn_mask != ATTEST_MASK_NONE) text += fmt::format(" --mask {}", MaskName(p.attn_mask));
  if (cell.mask_shape != MaskShape::kShared)
    text += fmt::format(" --mask-shape {}", MaskShapeName(cell.mask_shape));
  if (p.has_kv_lengths) text += " --kv-lengths 1";
  if (p.dtype != ATTEST_F32) text += fmt::format(" --dtype {}", DtypeName(p.dtype));
  if (cell.layout != Layout::kBnsh) text += fmt::format(" --layout {}", LayoutName(cell.layout));
  if (p.outputs & ATTEST_OUTPUT_LSE) text += " --lse 1";
  if (p.outputs & ATTEST_OUTPUT_WEIGHTS) text += " --weights 1";
  if (cell.data != "normal") text += fmt::format(" --data {}", cell.data);
  return text;
}

}  // namespace

std::string ReproduceCommand(const Cell& cell, const std::string& label) {
  const attest_problem& p = cell.problem;
  return fmt::format(
      "attest verify --backend {} --seq {} --kv-len {} --heads {} --head-size {}{} --seed {}",
      label, p.q_sequence_length, p.kv_sequence_length, p.q_num_heads, p.head_size, Options(cell),
      cell.seed);
}

}  // namespace attest::judge
