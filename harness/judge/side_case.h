// SPDX-License-Identifier: Apache-2.0
//
// Problems beside the cell's: one batch entry and head of it alone, with its values as they are or
// changed, to see whether answers keep the relations that attention has. Small: a head of a long
// problem is cut to its last rows.
#ifndef ATTEST_HARNESS_JUDGE_SIDE_CASE_H_
#define ATTEST_HARNESS_JUDGE_SIDE_CASE_H_

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "harness/core/buffer.h"
#include "harness/core/cell.h"
#include "reference/oracle.h"

namespace attest::judge {

// One batch entry and head with dense values, as exact as doubles. Lengths are resolved: keys
// behind the entry's length are not there.
struct HeadProblem {
  attest_problem problem;  // batch_size and both head counts are 1; OUT only
  Layout layout = Layout::kBnsh;
  MaskShape mask_shape = MaskShape::kShared;
  int64_t batch = 0, head = 0, first_row = 0;  // of the cell's problem
  std::vector<double> q, k, v;  // [Lq, head_size], [Lk, head_size], [Lk, v_head_size]
  std::vector<double> mask;     // [Lq, Lk], or [Lk] where mask_shape is kKeys

  int64_t rows() const { return problem.q_sequence_length; }
  int64_t keys() const { return problem.kv_sequence_length; }
};

// A hash of the cell's seed chooses the head. `tensors`: the cell's inputs, with data.
HeadProblem TakeHead(const Cell& cell, std::span<const attest_tensor* const> tensors);

// Keys [first, last) of it as a problem of their own, with LSE.
HeadProblem TakeKeys(const HeadProblem& whole, int64_t first, int64_t last);

// A head problem in shared memory, and its answer where one was asked for.
struct SideCase {
  attest_problem problem;
  std::vector<attest_tensor> tensors;             // descriptions
  std::vector<std::pair<size_t, Buffer>> inputs;  // tensor index, sealed memory
  reference::Answer answer;                       // of some rows; none where bits are compared
};

struct SideOptions {
  unsigned threads = 1;
  double oracle_budget = 0;  // multiply-adds of one answer; 0 = no answer
  std::vector<reference::Rounding> roundings;
  std::vector<int64_t> rows;  // to answer; empty = as many as the budget allows
};

// Throws std::system_error where the memory cannot be had.
SideCase MakeSideCase(const HeadProblem& head, const SideOptions& options);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_SIDE_CASE_H_
