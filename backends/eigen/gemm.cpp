// SPDX-License-Identifier: Apache-2.0
#include "gemm.h"

// Eigen packs the operands of every product into buffers on the stack up to this limit, and calls
// malloc above it, inside the timed part. With Eigen's blocking none passes 0.75 MiB.
#define EIGEN_STACK_ALLOCATION_LIMIT 1048576
#include <Eigen/Core>

namespace attest::eigen {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stride = Eigen::OuterStride<>;
using Map = Eigen::Map<Matrix, Eigen::Unaligned, Stride>;
using ConstMap = Eigen::Map<const Matrix, Eigen::Unaligned, Stride>;

Map ToEigen(MatrixView view) { return Map(view.data, view.rows, view.cols, Stride(view.stride)); }
ConstMap ToEigen(ConstMatrixView view) {
  return ConstMap(view.data, view.rows, view.cols, Stride(view.stride));
}

}  // namespace

void MultiplyTransposed(ConstMatrixView a, ConstMatrixView b, MatrixView out) {
  ToEigen(out).noalias() = ToEigen(a) * ToEigen(b).transpose();
}

void MultiplyTransposedAdd(ConstMatrixView a, ConstMatrixView b, MatrixView out) {
  ToEigen(out).noalias() += ToEigen(a) * ToEigen(b).transpose();
}

void MultiplyAdd(ConstMatrixView a, ConstMatrixView b, MatrixView out) {
  ToEigen(out).noalias() += ToEigen(a) * ToEigen(b);
}

std::string EigenVersion() {
  return std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
         std::to_string(EIGEN_MINOR_VERSION);
}

std::string EigenInstructionSets() { return Eigen::SimdInstructionSetsInUse(); }

}  // namespace attest::eigen
