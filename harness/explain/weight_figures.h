// SPDX-License-Identifier: Apache-2.0
//
// What attention weights are like, in figures: means over the rows of the matrices given.
#ifndef ATTEST_HARNESS_EXPLAIN_WEIGHT_FIGURES_H_
#define ATTEST_HARNESS_EXPLAIN_WEIGHT_FIGURES_H_

#include <vector>

#include "harness/explain/matrix.h"

namespace attest::explain {

struct WeightFigures {
  double entropy_bits = 0;  // of a row: log2(keys) where all weights are equal, 0 for a single key
  double largest = 0;       // weight of a row
  // Frobenius norm of the softmax's Jacobian diag(p) - p p^T: what a gradient is multiplied with on
  // its way back; 0 where one key has it all.
  double gradient_norm = 0;
  double diagonal = 0;  // weight of a token for itself; of square matrices
};
WeightFigures FiguresOf(const std::vector<Matrix>& weights);

// Scores that gave these weights: log p_ij + LSE_i; a weight of 0 gives NaN.
std::vector<Matrix> ScoresFrom(const std::vector<Matrix>& weights, const std::vector<double>& lse);
// Mean |s_ij - s_ji| over mean |s_ij|, i != j, of square matrices; pairs with a NaN are left out.
double Asymmetry(const std::vector<Matrix>& scores);

}  // namespace attest::explain

#endif  // ATTEST_HARNESS_EXPLAIN_WEIGHT_FIGURES_H_
