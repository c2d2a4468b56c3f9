// SPDX-License-Identifier: Apache-2.0
//
// Rows of io tensors as f32 matrices: in place where the elements are f32 and contiguous, else
// converted into a scratch buffer, one block at a time.
#ifndef ATTEST_BACKENDS_EIGEN_ROWS_H_
#define ATTEST_BACKENDS_EIGEN_ROWS_H_

#include <cstdint>
#include <type_traits>

#include "attest/aligned_buffer.hpp"
#include "attest/convert_row.hpp"
#include "attest/sdpa.hpp"
#include "gemm.h"

namespace attest::eigen {

// Whether rows of that tensor can be multiplied where they lie.
template <typename Io>
bool InPlace(const attest_tensor& tensor) {
  return std::is_same_v<Io, float> && tensor.strides[3] == 1;
}

// Floats that RowsOf needs as scratch for `count` rows of the tensor.
template <typename Io>
int64_t ScratchFloats(const attest_tensor& tensor, int64_t count) {
  return InPlace<Io>(tensor) ? 0 : count * tensor.shape[3];
}

// Rows [first, first + count) of [b, h] of a bound tensor as [count, shape[3]].
template <typename Io>
ConstMatrixView RowsOf(const attest_tensor& tensor, int64_t b, int64_t h, int64_t first,
                       int64_t count, AlignedBuffer<float>& scratch) {
  const int64_t cols = tensor.shape[3];
  if constexpr (std::is_same_v<Io, float>) {
    if (InPlace<Io>(tensor))
      return {RowOf<float>(tensor, b, h, first), count, cols, tensor.strides[2]};
  }
  for (int64_t i = 0; i < count; ++i)
    WidenRow(RowOf<Io>(tensor, b, h, first + i), tensor.strides[3], cols,
             scratch.data() + i * cols);
  return {scratch.data(), count, cols, cols};
}

}  // namespace attest::eigen

#endif  // ATTEST_BACKENDS_EIGEN_ROWS_H_
