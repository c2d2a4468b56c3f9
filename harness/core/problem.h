// SPDX-License-Identifier: Apache-2.0
//
// Problems as the judge makes them: defaults, the rules a problem must keep, and how much work it
// is.
#ifndef ATTEST_HARNESS_CORE_PROBLEM_H_
#define ATTEST_HARNESS_CORE_PROBLEM_H_

#include <span>
#include <string_view>

#include "attest/abi.h"

namespace attest {

// sdpa, f32, every size 1, no mask, everything off; scale 0 means "not resolved yet".
attest_problem DefaultProblem();

// Resolves what is left open: scale 0 -> 1/sqrt(head_size), v_head_size 0 -> head_size,
// kv_num_heads 0 -> q_num_heads, kv_sequence_length 0 -> q_sequence_length. Then checks every rule.
// Throws std::invalid_argument with the field, its value and the rule it breaks.
void ResolveProblem(attest_problem& problem);

// "top_left" (offset 0), "bottom_right" (Lk - Lq), "past" (any other), "" where it is not causal.
std::string_view CausalAlignment(const attest_problem& problem);

struct Work {
  // self_attention adds 2 multiply-adds of its linear maps; mean_pool has no head_size term.
  double flops = 0;           // 2 visible pairs (head_size + v_head_size)
  double flops_unmasked = 0;  // 2 B H Lq Lk (head_size + v_head_size)
  double bytes_min = 0;       // every input that is needed read once and every output
                              // written once: of K and V the keys that some query may see
};
// `tensors`: the cell's, with data where a boolean mask or KV_LENGTHS decides what is visible.
Work WorkOf(const attest_problem& problem, std::span<const attest_tensor* const> tensors);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_PROBLEM_H_
