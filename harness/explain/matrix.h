// SPDX-License-Identifier: Apache-2.0
//
// Matrices of doubles, as people write attention down.
#ifndef ATTEST_HARNESS_EXPLAIN_MATRIX_H_
#define ATTEST_HARNESS_EXPLAIN_MATRIX_H_

#include <cstdint>
#include <string>
#include <vector>

namespace attest::explain {

struct Matrix {
  int64_t rows = 0, columns = 0;
  std::vector<double> values;  // [rows][columns]

  Matrix() = default;
  Matrix(int64_t rows_wanted, int64_t columns_wanted, std::vector<double> elements = {});
  bool empty() const { return values.empty(); }
  double& at(int64_t row, int64_t column) {
    return values[static_cast<size_t>(row * columns + column)];
  }
  double at(int64_t row, int64_t column) const {
    return values[static_cast<size_t>(row * columns + column)];
  }
};

// "[3 x 64]"
std::string ShapeText(const Matrix& matrix);
// Columns [first, first + count).
Matrix Columns(const Matrix& matrix, int64_t first, int64_t count);
// Every element rounded to f32. Throws std::invalid_argument for one that f32 does not reach, with
// `name`.
void RoundToFloat(Matrix& matrix, const std::string& name);
// Largest |a - b|; NaN where either holds one. Both have the same shape.
double LargestDifference(const Matrix& a, const Matrix& b);

}  // namespace attest::explain

#endif  // ATTEST_HARNESS_EXPLAIN_MATRIX_H_
