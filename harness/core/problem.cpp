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

void CheckStructure(const attest_problem& p) {
  if (p.structure == ATTEST_STRUCTURE_TIED_QK)
    Require(p.kv_num_heads == p.q_num_heads,
            fmt::format("tied_qk makes K with Q's weights: kv_num_heads is {}, but must be "
                        "q_num_heads, which is {}",
                        p.kv_num_heads, p.q_num_heads));
  if (p.structure != ATTEST_STRUCTURE_PARAMETER_FREE) return;
  Require(p.has_bias == 0 && p.has_output_projection == 0,
          "parameter_free has neither biases nor an output projection: leave --bias and --out-proj "
          "at 0");
  Require(p.kv_num_heads == p.q_num_heads && p.v_head_size == p.head_size,
          "parameter_free has Q = K = V = X: kv-heads must be heads, and v-head-size head-size");
  Require(p.hidden_size == p.q_num_heads * p.head_size,
          fmt::format("parameter_free takes heads from X as they lie: hidden_size is {}, but must "
                      "be q_num_heads x head_size = {} x {} = {}",
                      p.hidden_size, p.q_num_heads, p.head_size, p.q_num_heads * p.head_size));
}

void CheckLayer(const attest_problem& p) {
  RequirePositive("hidden_size", p.hidden_size);
  Require(p.is_cross != 0 || p.kv_sequence_length == p.q_sequence_length,
          fmt::format("kv_sequence_length is {}, but must be q_sequence_length, which is {}, where "
                      "K and V come from X: cross-attention has X_KV",
                      p.kv_sequence_length, p.q_sequence_length));
  CheckStructure(p);
}

// Multiply-adds of the layer's linear maps; one that is not needed is not counted.
double MapWork(const attest_problem& p) {
  if (p.structure == ATTEST_STRUCTURE_PARAMETER_FREE) return 0;
  const auto batch = static_cast<double>(p.batch_size), hidden = static_cast<double>(p.hidden_size);
  const double queries = batch * static_cast<double>(p.q_sequence_length);
  const double keys = batch * static_cast<double>(p.kv_sequence_length);
  const auto width = [](int64_t heads, int64_t size) { return static_cast<double>(heads * size); };
  const bool pool = p.structure == ATTEST_STRUCTURE_MEAN_POOL;
  const bool same = p.structure == ATTEST_STRUCTURE_TIED_QK && p.is_cross == 0;  // K is Q
  double work = keys * hidden * width(p.kv_num_heads, p.v_head_size);
  if (!pool) work += queries * hidden * width(p.q_num_heads, p.head_size);
  if (!pool && !same) work += keys * hidden * width(p.kv_num_heads, p.head_size);
  if (p.has_output_projection != 0) work += queries * hidden * width(p.q_num_heads, p.v_head_size);
  return work;
}

// The share of K's and V's rows that some query may see.
double NeededShare(const attest_problem& p, std::span<const attest_tensor* const> tensors) {
  const auto all = static_cast<double>(p.batch_size) * static_cast<double>(p.kv_sequence_length);
  return static_cast<double>(reference::CountNeededKeys(p, tensors)) / all;
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
  if (problem.op == ATTEST_OP_SELF_ATTENTION) CheckLayer(problem);
}

std::string_view CausalAlignment(const attest_problem& problem) {
  if (!problem.is_causal) return "";
  if (problem.causal_offset == 0) return "top_left";
  const int64_t bottom_right = problem.kv_sequence_length - problem.q_sequence_length;
  return problem.causal_offset == bottom_right ? "bottom_right" : "past";
}

Work WorkOf(const attest_problem& p, std::span<const attest_tensor* const> tensors) {
  const bool layer = p.op == ATTEST_OP_SELF_ATTENTION;
  const bool scored = !layer || p.structure != ATTEST_STRUCTURE_MEAN_POOL;
  const double per_pair = 2.0 * static_cast<double>((scored ? p.head_size : 0) + p.v_head_size);
  Work work;
  work.flops = per_pair * static_cast<double>(reference::CountVisiblePairs(p, tensors));
  work.flops_unmasked =
      per_pair * static_cast<double>(p.batch_size) * static_cast<double>(p.q_num_heads) *
      static_cast<double>(p.q_sequence_length) * static_cast<double>(p.kv_sequence_length);
  if (layer) {
    work.flops += 2 * MapWork(p);
    work.flops_unmasked += 2 * MapWork(p);
  }
  const double needed = NeededShare(p, tensors);
  for (const attest_tensor* tensor : tensors) {
    const bool keyed = tensor->role == ATTEST_ROLE_K || tensor->role == ATTEST_ROLE_V;
    work.bytes_min += static_cast<double>(StoredElements(*tensor) * DtypeBytes(tensor->dtype)) *
                      (keyed ? needed : 1);
  }
  return work;
}

}  // namespace attest
