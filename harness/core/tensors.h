// SPDX-License-Identifier: Apache-2.0
//
// Descriptions of a problem's tensors: roles, shapes, strides, extents. No data.
#ifndef ATTEST_HARNESS_CORE_TENSORS_H_
#define ATTEST_HARNESS_CORE_TENSORS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "attest/abi.h"
#include "harness/core/names.h"

namespace attest {

// The tensors of a problem in role order, inputs first; Q, K, V and OUT lie in memory as `layout`
// says, and where it is padded, rows of all others but biases and lengths have gaps behind them,
// too; self_attention has its tensors row-major. Throws std::invalid_argument where sizes overflow
// 63 bits.
std::vector<attest_tensor> DescribeTensors(const attest_problem& problem, Layout layout,
                                           MaskShape mask_shape = MaskShape::kShared);

// OUT as rows that are compared one by one, [B, OutputHeads, Lq, OutputColumns]
// (reference/oracle.h): sdpa's as it is, that of self_attention as a view of the same memory.
attest_tensor OutputRows(const attest_problem& problem, const attest_tensor& out);

// Elements from the first to the end of the last, by shape and strides.
int64_t ExtentElements(const attest_tensor& tensor);
// Elements that are stored: broadcast dimensions (stride 0) count once.
int64_t StoredElements(const attest_tensor& tensor);

// Where the element of that row-major index lies, in elements from the first.
int64_t ElementOffset(const attest_tensor& tensor, int64_t index);

// Appends the bytes of its elements, gaps left out, in an order that depends on the description
// alone. It has data and no broadcast.
void AppendElements(const attest_tensor& tensor, std::vector<std::byte>& bytes);

// Pointers to each, as the interface wants them.
std::vector<const attest_tensor*> Pointers(const std::vector<attest_tensor>& tensors);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_TENSORS_H_
