// SPDX-License-Identifier: Apache-2.0
#include "harness/core/cell.h"

#include <fmt/format.h>

#include <cmath>

namespace attest {
namespace {

std::string LayerSuffix(const attest_problem& p) {
  std::string text = fmt::format("/e{}", p.hidden_size);
  if (p.structure != ATTEST_STRUCTURE_FULL) text += fmt::format("/{}", StructureName(p.structure));
  if (p.has_bias) text += "/bias";
  if (p.has_output_projection) text += "/wo";
  if (p.is_cross) text += "/cross";
  return text;
}

std::string Suffix(const Cell& cell) {
  const attest_problem& p = cell.problem;
  std::string text;
  if (p.v_head_size != p.head_size) text += fmt::format("/dv{}", p.v_head_size);
  if (p.op == ATTEST_OP_SELF_ATTENTION) text += LayerSuffix(p);
  if (p.scale != 1 / std::sqrt(static_cast<double>(p.head_size)))
    text += fmt::format("/scale{}", p.scale);
  if (p.is_causal) text += fmt::format("/causal{:+}", p.causal_offset);
  if (p.left_window_size >= 0 || p.right_window_size >= 0)
    text += fmt::format("/window{},{}", p.left_window_size, p.right_window_size);
  if (p.softcap != 0) text += fmt::format("/softcap{}", p.softcap);
  if (p.attn_mask == ATTEST_MASK_BOOLEAN) text += "/mask-bool";
  if (p.attn_mask == ATTEST_MASK_ADDITIVE) text += "/mask-add";
  if (cell.mask_shape != MaskShape::kShared)
    text += fmt::format("-{}", MaskShapeName(cell.mask_shape));
  if (p.has_kv_lengths) text += "/kv-lengths";
  if (cell.layout != Layout::kBnsh) text += fmt::format("/{}", LayoutName(cell.layout));
  if (p.outputs & ATTEST_OUTPUT_LSE) text += "/lse";
  if (p.outputs & ATTEST_OUTPUT_WEIGHTS) text += "/weights";
  if (cell.data != "normal") text += fmt::format("/{}", cell.data);
  return text;
}

std::string Shape(const Cell& cell) {
  const attest_problem& p = cell.problem;
  return fmt::format("{}/b{}/h{}/kv{}/q{}/k{}/d{}{}", DtypeName(p.dtype), p.batch_size,
                     p.q_num_heads, p.kv_num_heads, p.q_sequence_length, p.kv_sequence_length,
                     p.head_size, Suffix(cell));
}

}  // namespace

std::string ResultLabel(std::string_view backend, std::string_view variant, uint32_t device) {
  std::string label(backend);
  if (!variant.empty()) label += fmt::format(":{}", variant);
  if (device != 0) label += fmt::format("@{}", device);
  return label;
}

std::string CellId(const Cell& cell) {
  return fmt::format("{}/{}", OpName(cell.problem.op), Shape(cell));
}

std::string BenchmarkName(const Cell& cell, std::string_view label) {
  return fmt::format("{}/{}/{}", OpName(cell.problem.op), label, Shape(cell));
}

}  // namespace attest
