// SPDX-License-Identifier: Apache-2.0
//
// The matrix products of attention and of linear maps on row-major f32 blocks, computed by Eigen on
// the calling thread. gemm.cpp is the only file that knows Eigen.
#ifndef ATTEST_BACKENDS_EIGEN_GEMM_H_
#define ATTEST_BACKENDS_EIGEN_GEMM_H_

#include <cstdint>
#include <string>

namespace attest::eigen {

// Rows of contiguous elements, `stride` elements from one row to the next. Not owned.
struct MatrixView {
  float* data;
  int64_t rows;
  int64_t cols;
  int64_t stride;
};
struct ConstMatrixView {
  const float* data;
  int64_t rows;
  int64_t cols;
  int64_t stride;
};

// out = a b^T: a is [m, k], b is [n, k], out is [m, n].
void MultiplyTransposed(ConstMatrixView a, ConstMatrixView b, MatrixView out);

// out += a b^T.
void MultiplyTransposedAdd(ConstMatrixView a, ConstMatrixView b, MatrixView out);

// out += a b: a is [m, k], b is [k, n], out is [m, n].
void MultiplyAdd(ConstMatrixView a, ConstMatrixView b, MatrixView out);

// Version of Eigen, and the vector instructions it was compiled for ("AVX512, FMA").
std::string EigenVersion();
std::string EigenInstructionSets();

}  // namespace attest::eigen

#endif  // ATTEST_BACKENDS_EIGEN_GEMM_H_
