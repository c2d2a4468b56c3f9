// SPDX-License-Identifier: Apache-2.0
//
// Tensors of any io type and stride, read into doubles without rounding. Reads only elements that
// the shape names, never padding.
#ifndef ATTEST_REFERENCE_READ_H_
#define ATTEST_REFERENCE_READ_H_

#include <array>
#include <cstdint>
#include <span>

#include "attest/abi.h"

namespace attest::reference {

using Tensors = std::span<const attest_tensor* const>;

// The tensor of that role, checked: element type, rank and shape as given, data there. Throws
// std::invalid_argument that names the role and what is wrong.
const attest_tensor& RequireTensor(Tensors tensors, int32_t role, int32_t dtype,
                                   std::span<const int64_t> shape);

// out[n] = tensor[b, h, i, n] for n in [first, last); rank 4, floating-point type.
void ReadRow(const attest_tensor& tensor, int64_t b, int64_t h, int64_t i, int64_t first,
             int64_t last, double* out);

// Address of tensor[b, h, i, 0] of a rank-4 tensor of one-byte elements.
const uint8_t* BoolRow(const attest_tensor& tensor, int64_t b, int64_t h, int64_t i);

double HalfToDouble(uint16_t bits);
double BfloatToDouble(uint16_t bits);

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_READ_H_
