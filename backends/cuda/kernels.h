// SPDX-License-Identifier: Apache-2.0
//
// The kernels as host functions: each enqueues on a stream and returns the launch's status.
#ifndef ATTEST_CUDA_KERNELS_H_
#define ATTEST_CUDA_KERNELS_H_

#include <cuda_runtime_api.h>

#include <cstdint>

#include "index_math.h"

namespace attest::cuda {

// Device addresses of the tensors' first elements; null where the problem has no such tensor.
struct SdpaPointers {
  const void* q;
  const void* k;
  const void* v;
  const void* mask;
  const int64_t* kv_lengths;
  void* out;
  float* lse;
  void* weights;
};

// naive.cu: the whole operation. `dtype` is ATTEST_F32, ATTEST_F16 or ATTEST_BF16. [timed]
cudaError_t LaunchNaive(int32_t dtype, const SdpaShape& shape, const SdpaPointers& tensors,
                        cudaStream_t stream);
// Whether the current device has code for this plugin's kernels: cudaSuccess, or why not. [setup]
cudaError_t ProbeKernels();

// softmax.cu: scores [rows, kv_sequence_length], already scaled, to probabilities of the io type
// (which may be the same memory where that is f32), with softcap and masks; LSE and WEIGHTS where
// given. [timed]
cudaError_t LaunchSoftmax(int32_t dtype, const SdpaShape& shape, const SdpaPointers& tensors,
                          float* scores, void* probabilities, cudaStream_t stream);

// A linear map y = x W^T + b of a layer. x, y: (matrix, unused, row, column); weight: (unused,
// unused, row, column).
struct LinearShape {
  int64_t matrices, rows, in, out;
  Strides x, weight, y;
  int64_t bias_stride;
};
struct LinearPointers {
  const void* x;
  const void* weight;
  const void* bias;  // null where there is none
  void* y;
};

// linear.cu: the whole map; and y = b in every row. Fewer than 2^31 elements of y. [timed]
cudaError_t LaunchLinear(int32_t dtype, const LinearShape& shape, const LinearPointers& tensors,
                         cudaStream_t stream);
cudaError_t LaunchBias(int32_t dtype, const LinearShape& shape, const LinearPointers& tensors,
                       cudaStream_t stream);

// ceiling.cu
constexpr int kCeilingThreads = 256;
constexpr double kFmaFlopsPerRound = 16;  // 8 chains, one multiply-add = 2
cudaError_t LaunchFma(int blocks, int rounds, float* sink, cudaStream_t stream);
// Reads `count` 16-byte words.
cudaError_t LaunchRead(int blocks, const void* data, uint64_t count, float* sink,
                       cudaStream_t stream);
// Keeps the stream busy for so long, while the host enqueues what follows.
cudaError_t LaunchDelay(uint64_t nanoseconds, cudaStream_t stream);

}  // namespace attest::cuda

#endif  // ATTEST_CUDA_KERNELS_H_
