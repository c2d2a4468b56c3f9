// SPDX-License-Identifier: Apache-2.0
//
// qk_matmul_output before the softmax, in double precision, with a bound: no backend gives it, and
// the reference keeps it to itself. Plain loops for small cases.
#ifndef ATTEST_HARNESS_VECTORS_SCORES_H_
#define ATTEST_HARNESS_VECTORS_SCORES_H_

#include <vector>

#include "harness/vectors/attention_case.h"
#include "reference/oracle.h"

namespace attest::vectors {

struct Scores {
  std::vector<double> value, bound;  // [B, q_num_heads, Lq, Lk]; hidden keys: -inf, bound 0
};

// For the stages before kWeights.
Scores ComputeScores(const Case& vector, const reference::Rounding& rounding);

}  // namespace attest::vectors

#endif  // ATTEST_HARNESS_VECTORS_SCORES_H_
