// SPDX-License-Identifier: Apache-2.0
//
// Row softmax between the two matrix products of cuda:cublas, one block per query row. Three passes
// over the row's scores: softcap, mask and maximum; exponentials and their sum; division. f32,
// expf; scores are overwritten. Hidden keys and rows without a visible key get probability 0
// exactly.
#include "elements.cuh"

namespace attest::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;

struct MaxOf {
  __device__ float operator()(float x, float y) const { return fmaxf(x, y); }
  __device__ float Warp(float x) const { return WarpMax(x); }
};
struct SumOf {
  __device__ float operator()(float x, float y) const { return x + y; }
  __device__ float Warp(float x) const { return WarpSum(x); }
};

// Over the block; every thread gets the result.
template <typename Combine>
__device__ float BlockReduce(float x, Combine combine) {
  __shared__ float partial[kWarps];
  x = combine.Warp(x);
  __syncthreads();  // a former call's partial results are read
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
  __syncthreads();
  float result = partial[0];
  for (int warp = 1; warp < kWarps; ++warp) result = combine(result, partial[warp]);
  return result;
}

template <typename Io>
__global__ void __launch_bounds__(kThreads)
    SoftmaxKernel(const __grid_constant__ SdpaShape shape,
                  const __grid_constant__ SdpaPointers tensors, float* scores, Io* probabilities) {
  const Row r = RowOf(shape, blockIdx.x);
  const KeyRange keys = VisibleKeys(shape, r.i, KvLength(shape, tensors, r.b));
  const int64_t length = shape.kv_sequence_length;
  float* s = scores + int64_t{blockIdx.x} * length;
  Io* p = probabilities + int64_t{blockIdx.x} * length;

  float top = -INFINITY;
  for (int64_t j = threadIdx.x; j < length; j += kThreads) {
    const bool in_range = j >= keys.begin && j < keys.end;
    const float bias = in_range ? MaskBias<Io>(shape, tensors.mask, r, j) : -INFINITY;
    s[j] = bias == -INFINITY ? bias : Softcapped(shape, s[j]) + bias;
    top = fmaxf(top, s[j]);
  }
  const float m = BlockReduce(top, MaxOf());

  float sum = 0.0f;
  for (int64_t j = threadIdx.x; j < length; j += kThreads) {
    s[j] = s[j] == -INFINITY ? 0.0f : expf(s[j] - m);
    sum += s[j];
  }
  const float l = BlockReduce(sum, SumOf());

  for (int64_t j = threadIdx.x; j < length; j += kThreads) {
    const float weight = l == 0.0f ? 0.0f : s[j] / l;
    Assign(p[j], weight);
    if (tensors.weights != nullptr)
      Assign(static_cast<Io*>(tensors.weights)[Offset(shape.weights, r.b, r.h, r.i, j)], weight);
  }
  if (tensors.lse != nullptr && threadIdx.x == 0)
    tensors.lse[Offset(shape.lse, r.b, r.h, r.i, 0)] = l == 0.0f ? -INFINITY : m + logf(l);
}

template <typename Io>
cudaError_t Launch(const SdpaShape& shape, const SdpaPointers& tensors, float* scores,
                   void* probabilities, cudaStream_t stream) {
  SoftmaxKernel<Io><<<static_cast<unsigned>(RowCount(shape)), kThreads, 0, stream>>>(
      shape, tensors, scores, static_cast<Io*>(probabilities));
  return cudaGetLastError();
}

}  // namespace

cudaError_t LaunchSoftmax(int32_t dtype, const SdpaShape& shape, const SdpaPointers& tensors,
                          float* scores, void* probabilities, cudaStream_t stream) {
  if (dtype == ATTEST_F16) return Launch<__half>(shape, tensors, scores, probabilities, stream);
  if (dtype == ATTEST_BF16)
    return Launch<__nv_bfloat16>(shape, tensors, scores, probabilities, stream);
  return Launch<float>(shape, tensors, scores, probabilities, stream);
}

}  // namespace attest::cuda
