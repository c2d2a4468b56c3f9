// SPDX-License-Identifier: Apache-2.0
//
// Between matrices and the tensors of a problem.
#ifndef ATTEST_HARNESS_EXPLAIN_TENSORS_H_
#define ATTEST_HARNESS_EXPLAIN_TENSORS_H_

#include <map>
#include <vector>

#include "harness/core/given.h"
#include "harness/explain/layer_case.h"

namespace attest::explain {

// Values by role, each as many as its tensor has elements, row-major.
using ValuesByRole = std::map<int32_t, std::vector<double>>;
// The problem's tensors with these values. Throws std::logic_error where one is missing or has
// another number of elements.
Given MakeGiven(const attest_problem& problem, const ValuesByRole& values);
// X, X_KV and the weights that the case's structure has.
ValuesByRole LayerValues(const LayerCase& layer);

// [L, H d] -> [H, L, d], and back.
std::vector<double> SplitHeads(const Matrix& matrix, int64_t heads);
Matrix JoinHeads(const std::vector<double>& values, int64_t heads, int64_t length);
// [H, Lq, Lk] -> a matrix for each head.
std::vector<Matrix> PerHead(const std::vector<double>& values, int64_t heads, int64_t rows);

}  // namespace attest::explain

#endif  // ATTEST_HARNESS_EXPLAIN_TENSORS_H_
