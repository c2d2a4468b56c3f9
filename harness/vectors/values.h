// SPDX-License-Identifier: Apache-2.0
//
// Bytes from ONNX tensors into tensors as the interface describes them. Copies bits; converts
// nothing.
#ifndef ATTEST_HARNESS_VECTORS_VALUES_H_
#define ATTEST_HARNESS_VECTORS_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "attest/abi.h"
#include "harness/vectors/onnx_reader.h"

namespace attest::vectors {

// Sizes of Q, K, V or Y, which come as [B, H, L, d] or, with 3 axes, as [B, L, H d].
struct HeadSizes {
  int64_t batch = 0, heads = 0, length = 0, size = 0;
  friend bool operator==(const HeadSizes&, const HeadSizes&) = default;
};
// `heads` is only used with 3 axes. Throws std::invalid_argument for other ranks, and for a last
// axis that is no multiple of the heads.
HeadSizes SizesOf(const Tensor& tensor, int64_t heads);

// Index of element (b, h, l, c) in such a tensor.
int64_t HeadIndex(const Tensor& tensor, const HeadSizes& sizes, int64_t b, int64_t h, int64_t l,
                  int64_t c);

// `described`'s extent, filled with the parts one behind the other along the sequence. Their
// lengths add up to described.shape[2], their other sizes are its.
std::vector<std::byte> JoinHeads(const attest_tensor& described,
                                 const std::vector<const Tensor*>& parts);

// Describes an attn_mask of 1 to 4 axes, broadcast ones with stride 0, and fills it; keys behind
// its end are hidden (false, -inf). `mask` has role, dtype and shape. Throws std::invalid_argument
// where it cannot be broadcast to the shape.
std::vector<std::byte> FillMask(const Tensor& given, attest_tensor& mask);

}  // namespace attest::vectors

#endif  // ATTEST_HARNESS_VECTORS_VALUES_H_
