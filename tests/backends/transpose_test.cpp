// SPDX-License-Identifier: Apache-2.0
//
// The transpose of onednn's keys: shapes around its squares, and nothing written beside the result.
#include "backends/onednn/transpose.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace attest::onednn {
namespace {

constexpr float kUntouched = -1;

void ExpectTransposed(int64_t rows, int64_t cols) {
  const int64_t from_stride = cols + 3;
  const int64_t to_stride = rows + 5;
  std::vector<float> from(rows * from_stride);
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i);
  std::vector<float> to(cols * to_stride, kUntouched);
  Transpose(from.data(), from_stride, rows, cols, to.data(), to_stride);
  for (int64_t col = 0; col < cols; ++col)
    for (int64_t row = 0; row < to_stride; ++row)
      ASSERT_EQ(to[col * to_stride + row], row < rows ? from[row * from_stride + col] : kUntouched)
          << rows << " x " << cols << " at " << row << ", " << col;
}

TEST(Transpose, AnyShapeAroundItsSquares) {
  for (const int64_t rows : {1, 3, 4, 7, 15, 16, 17, 31, 32, 33, 64})
    for (const int64_t cols : {1, 3, 4, 7, 15, 16, 17, 31, 32, 33, 64})
      ExpectTransposed(rows, cols);
}

}  // namespace
}  // namespace attest::onednn
