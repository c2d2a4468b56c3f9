// SPDX-License-Identifier: Apache-2.0
//
// Rows of io tensors as matrices that oneDNN multiplies: where they lie if their elements are
// contiguous and of the product's type, else copied or converted into scratch.
#ifndef ATTEST_BACKENDS_ONEDNN_OPERAND_H_
#define ATTEST_BACKENDS_ONEDNN_OPERAND_H_

#include <cstdint>
#include <type_traits>

#include "attest/aligned_buffer.hpp"
#include "attest/backend.hpp"
#include "attest/convert_row.hpp"
#include "attest/sdpa.hpp"
#include "primitives.h"

namespace attest::onednn {

template <typename Element>
constexpr DataType kDataType = DataType::f32;
template <>
inline constexpr DataType kDataType<Half> = DataType::f16;
template <>
inline constexpr DataType kDataType<Bfloat16> = DataType::bf16;

// At most `most` rows at once of the described tensor, with 0 behind their elements up to `cols`
// columns; scratch for one thread.
template <typename Io, typename Operand>
class Rows {
 public:
  Rows(const attest_tensor& tensor, int64_t most, int64_t cols)
      : tensor_(tensor), cols_(cols), copies_(InPlace(tensor, cols) ? 0 : most * cols) {}
  Rows(const attest_tensor& tensor, int64_t most) : Rows(tensor, most, tensor.shape[3]) {}

  static uint64_t BytesOf(const attest_tensor& tensor, int64_t most, int64_t cols) {
    return InPlace(tensor, cols) ? 0 : most * cols * sizeof(Operand);
  }
  static uint64_t BytesOf(const attest_tensor& tensor, int64_t most) {
    return BytesOf(tensor, most, tensor.shape[3]);
  }

  // Layout of `count` rows of such a tensor.
  static Matrix MatrixOf(const attest_tensor& tensor, int64_t count, int64_t cols) {
    return {count, cols, InPlace(tensor, cols) ? tensor.strides[2] : cols, kDataType<Operand>};
  }
  static Matrix MatrixOf(const attest_tensor& tensor, int64_t count) {
    return MatrixOf(tensor, count, tensor.shape[3]);
  }

  void Bind(const attest_tensor& tensor) { tensor_ = tensor; }

  // Elements from row to row of what Get returns.
  int64_t stride() const { return MatrixOf(tensor_, 1, cols_).stride; }

  // Rows [first, first + count) of [b, h]; valid until the next call.
  const Operand* Get(int64_t b, int64_t h, int64_t first, int64_t count) {
    if constexpr (std::is_same_v<Io, Operand>)
      if (InPlace(tensor_, cols_)) return RowOf<Operand>(tensor_, b, h, first);
    for (int64_t i = 0; i < count; ++i)
      CopyRow(RowOf<Io>(tensor_, b, h, first + i), tensor_.strides[3], tensor_.shape[3],
              copies_.data() + i * cols_);
    return copies_.data();
  }

 private:
  static bool InPlace(const attest_tensor& tensor, int64_t cols) {
    return std::is_same_v<Io, Operand> && tensor.strides[3] == 1 && tensor.shape[3] == cols;
  }

  attest_tensor tensor_;
  const int64_t cols_;
  AlignedBuffer<Operand> copies_;
};

// Calls make(Io{}, Operand{}) with the C++ types of an io dtype and of its products.
template <typename Make>
auto WithTypes(int32_t dtype, DataType product, const Make& make) {
  switch (dtype) {
    case ATTEST_F16:
      return product == DataType::f16 ? make(Half{}, Half{}) : make(Half{}, float{});
    case ATTEST_BF16:
      return product == DataType::bf16 ? make(Bfloat16{}, Bfloat16{}) : make(Bfloat16{}, float{});
    default:
      TypeOf(dtype);  // throws for types that are not f32
      return make(float{}, float{});
  }
}

}  // namespace attest::onednn

#endif  // ATTEST_BACKENDS_ONEDNN_OPERAND_H_
