// SPDX-License-Identifier: Apache-2.0
//
// A linear map y = x W^T + b for the kernels that compute one. Read by the C++ host and, pasted
// behind sdpa_shape.h, by the OpenCL compiler.
#ifndef ATTEST_OPENCL_LINEAR_SHAPE_H_
#define ATTEST_OPENCL_LINEAR_SHAPE_H_

#ifndef __OPENCL_VERSION__
#include "sdpa_shape.h"
#endif

typedef struct LinearShape {
  attest_i64 matrices;  // each [rows, in] and [rows, out]; all zero: nothing to do
  attest_i64 rows;
  attest_i64 in;
  attest_i64 out;
  TensorPlace x, y;    // (matrix, row, column)
  TensorPlace weight;  // (row, column)
  TensorPlace bias;    // (column)
  attest_i32 has_bias;
  attest_i32 reserved;
} LinearShape;

#endif  // ATTEST_OPENCL_LINEAR_SHAPE_H_
