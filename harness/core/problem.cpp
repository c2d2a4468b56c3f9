// SPDX-License-Identifier: Apache-2.0
#include "harness/core/problem.h"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

#include "harness/core/names.h"
#include "harness/core/tensors.h"
#include "reference/oracle.h"

namespace attest {
namespace {

void Require(bool holds, const std::string& rule) {
  if (!holds) throw std::invalid_argument(rule);
}

void RequirePositive(const char* field, int64_t value) {
  Require(value > 0, fmt::format("{} is {}, but must be at least 1", field, value));
}

void CheckSizes(const attest_problem& p) {
  RequirePositive("batch_size", p.batch_size);
  RequirePositive("q_num_heads", p.q_num_heads);
  RequirePositive("kv_num_heads", p.kv_num_heads);
  RequirePositive("q_sequence_length", p.q_sequence_length);
  RequirePositive("kv_sequence_length", p.kv_sequence_length);
  RequirePositive("head_size", p.head_size);
  RequirePositive("v_head_size", p.v_head_size);
  Require(p.q_num_heads % p.kv_num_heads == 0,
          fmt::format("kv_num_heads is {}, but must divide q_num_heads, which is {}",
                      p.kv_num_heads, p.q_num_heads));
}

void CheckOptions(const attest_problem& p) {
  (void)OpName(p.op);
  (void)MaskName(p.attn_mask);
  (void)StructureName(p.structure);
  Require(p.dtype >= ATTEST_F32 && p.dtype <= ATTEST_F64,
          "dtype must be one of f32, f16, bf16, f64");
  Require(std::isfinite(p.scale), fmt::format("scale is {}, but must be finite", p.scale));
  Require(std::isfinite(p.softcap) && p.softcap >= 0,
          fmt::format("softcap is {}, but must be 0 (off) or a positive number", p.softcap));
  Require(p.left_window_size >= -1 && p.right_window_size >= -1,
          fmt::format("window sizes are {} and {}, but must be -1 (off) or at least 0",
                      p.left_window_size, p.right_window_size));
}

}  // namespace

attest_problem DefaultProblem() {
  attest_problem problem{};
  problem.size = sizeof problem;
  problem.op = ATTEST_OP_SDPA;
  problem.dtype = ATTEST_F32;
  problem.batch_size = problem.q_num_heads = problem.q_sequence_length = problem.head_size = 1;
  problem.left_window_size = problem.right_window_size = -1;
  return problem;
}

void ResolveProblem(attest_problem& problem) {
  if (problem.kv_num_heads == 0) problem.kv_num_heads = problem.q_num_heads;
  if (problem.kv_sequence_length == 0) problem.kv_sequence_length = problem.q_sequence_length;
  if (problem.v_head_size == 0) problem.v_head_size = problem.head_size;
  CheckSizes(problem);
  if (problem.scale == 0) problem.scale = 1 / std::sqrt(static_cast<double>(problem.head_size));
  CheckOptions(problem);
}

std::string_view CausalAlignment(const attest_problem& problem) {
  if (!problem.is_causal) return "";
  if (problem.causal_offset == 0) return "top_left";
  const int64_t bottom_right = problem.kv_sequence_length - problem.q_sequence_length;
  return problem.causal_offset == bottom_right ? "bottom_right" : "past";
}

Work WorkOf(const attest_problem& p, std::span<const attest_tensor* const> tensors) {
  const double per_pair = 2.0 * static_cast<double>(p.head_size + p.v_head_size);
  Work work;
  work.flops = per_pair * static_cast<double>(reference::CountVisiblePairs(p, tensors));
  work.flops_unmasked =
      per_pair * static_cast<double>(p.batch_size) * static_cast<double>(p.q_num_heads) *
      static_cast<double>(p.q_sequence_length) * static_cast<double>(p.kv_sequence_length);
  for (const attest_tensor* tensor : tensors)
    work.bytes_min += static_cast<double>(StoredElements(*tensor) * DtypeBytes(tensor->dtype));
  return work;
}

}  // namespace attest
