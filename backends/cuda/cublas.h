// SPDX-License-Identifier: Apache-2.0
//
// The few functions of cuBLAS that are needed, from a library opened at run time: a machine without
// it loses one variant, not the plugin. Neither its headers nor its import library are needed to
// build.
#ifndef ATTEST_CUDA_CUBLAS_H_
#define ATTEST_CUDA_CUBLAS_H_

#include <cuda_runtime_api.h>
#include <library_types.h>

#include <cstdint>
#include <string>

#include "device.h"

namespace attest::cuda {

// One matrix product of a batch, column-major as cuBLAS has it: C = alpha op(A) B.
struct Gemm {
  bool transpose_a = false;
  int m = 0, n = 0, k = 0;
  float alpha = 1;
  // Device arrays of `batch` device addresses each.
  const void* const* a = nullptr;
  const void* const* b = nullptr;
  void* const* c = nullptr;
  cudaDataType_t a_b_type = CUDA_R_32F, c_type = CUDA_R_32F;
  int lda = 0, ldb = 0, ldc = 0;
  int batch = 0;
};

// Products of a batch at fixed strides, column-major: C = A^T B, or C += A^T B.
struct StridedGemm {
  int m = 0, n = 0, k = 0;
  bool adds = false;
  const void *a = nullptr, *b = nullptr;
  void* c = nullptr;
  cudaDataType_t type = CUDA_R_32F;  // of all three
  int lda = 0, ldb = 0, ldc = 0;
  int64_t stride_b = 0, stride_c = 0;  // A is the same for all
  int batch = 0;
};

class Cublas {
 public:
  // Opens the library and makes a handle for the current device on `stream`, with a workspace of
  // its own, so that no product allocates. Throws Unsupported with where it looked. [setup]
  explicit Cublas(cudaStream_t stream);
  ~Cublas();
  Cublas(const Cublas&) = delete;

  // Accumulates in f32; f32 operands are used as they are (no TF32). Throws DeviceError. [timed]
  void Run(const Gemm& gemm);
  void Run(const StridedGemm& gemm);

  // "13.0.2"
  std::string Version() const;

  // Why the library cannot be opened, or empty. Opens it. [setup]
  static std::string WhyMissing();

 private:
  void* handle_ = nullptr;
  DeviceMemory workspace_;
};

}  // namespace attest::cuda

#endif  // ATTEST_CUDA_CUBLAS_H_
