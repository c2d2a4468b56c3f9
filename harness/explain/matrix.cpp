// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/matrix.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "harness/core/convert.h"

namespace attest::explain {

Matrix::Matrix(int64_t rows_wanted, int64_t columns_wanted, std::vector<double> elements)
    : rows(rows_wanted), columns(columns_wanted), values(std::move(elements)) {
  values.resize(static_cast<size_t>(rows * columns));
}

std::string ShapeText(const Matrix& matrix) {
  return fmt::format("[{} x {}]", matrix.rows, matrix.columns);
}

Matrix Columns(const Matrix& matrix, int64_t first, int64_t count) {
  Matrix part(matrix.rows, count);
  for (int64_t i = 0; i < matrix.rows; ++i)
    for (int64_t c = 0; c < count; ++c) part.at(i, c) = matrix.at(i, first + c);
  return part;
}

void RoundToFloat(Matrix& matrix, const std::string& name) {
  for (double& value : matrix.values) {
    const double rounded = static_cast<float>(value);
    if (!std::isfinite(rounded))
      throw std::invalid_argument(
          fmt::format("{} holds {}, but must hold finite numbers that f32 can hold", name, value));
    value = rounded;
  }
}

double LargestDifference(const Matrix& a, const Matrix& b) {
  double largest = 0;
  for (size_t n = 0; n < a.values.size(); ++n) {
    const double difference = std::fabs(a.values[n] - b.values[n]);
    if (IsNan(difference)) return difference;
    largest = std::fmax(largest, difference);
  }
  return largest;
}

}  // namespace attest::explain
