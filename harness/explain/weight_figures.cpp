// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/weight_figures.h"

#include <cmath>
#include <limits>

namespace attest::explain {
namespace {

// Adds one row's figures, diagonal left out.
void AddRow(const Matrix& weights, int64_t i, WeightFigures& sum) {
  double entropy = 0, largest = 0, squares = 0, cubes = 0;
  for (int64_t j = 0; j < weights.columns; ++j) {
    const double p = weights.at(i, j);
    if (p > 0) entropy -= p * std::log2(p);
    largest = std::fmax(largest, p);
    squares += p * p;
    cubes += p * p * p;
  }
  sum.entropy_bits += entropy;
  sum.largest += largest;
  // |diag(p) - p p^T|^2 = sum p^2 - 2 sum p^3 + (sum p^2)^2, a rounding below 0 at worst.
  sum.gradient_norm += std::sqrt(std::fmax(0, squares - 2 * cubes + squares * squares));
}

}  // namespace

WeightFigures FiguresOf(const std::vector<Matrix>& weights) {
  WeightFigures sum;
  double rows = 0;
  for (const Matrix& head : weights)
    for (int64_t i = 0; i < head.rows; ++i, ++rows) {
      AddRow(head, i, sum);
      if (head.rows == head.columns) sum.diagonal += head.at(i, i);
    }
  for (double* figure : {&sum.entropy_bits, &sum.largest, &sum.gradient_norm, &sum.diagonal})
    *figure /= rows;
  return sum;
}

std::vector<Matrix> ScoresFrom(const std::vector<Matrix>& weights, const std::vector<double>& lse) {
  std::vector<Matrix> scores = weights;
  size_t row = 0;
  for (Matrix& head : scores)
    for (int64_t i = 0; i < head.rows; ++i, ++row)
      for (int64_t j = 0; j < head.columns; ++j) {
        double& s = head.at(i, j);
        s = s > 0 ? std::log(s) + lse[row] : std::numeric_limits<double>::quiet_NaN();
      }
  return scores;
}

double Asymmetry(const std::vector<Matrix>& scores) {
  double difference = 0, size = 0;
  for (const Matrix& head : scores)
    for (int64_t i = 0; i < head.rows; ++i)
      for (int64_t j = 0; j < i; ++j) {
        const double a = head.at(i, j), b = head.at(j, i);
        if (!std::isfinite(a - b)) continue;
        difference += 2 * std::fabs(a - b);
        size += std::fabs(a) + std::fabs(b);
      }
  return size > 0 ? difference / size : 0;
}

}  // namespace attest::explain
