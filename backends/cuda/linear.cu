// SPDX-License-Identifier: Apache-2.0
//
// The linear maps of a layer, y = x W^T + b: a block of 16 x 16 threads computes a tile of y, one
// element a thread, with tiles of x and W in shared memory. f32 sums on f32, f16 or bf16 io, which
// start from the bias. Any length, width and stride. No register blocks, no tensor cores: the
// readable yardstick, not a fast kernel. And the rows of a bias that cuBLAS adds its product to.
#include "elements.cuh"

namespace attest::cuda {
namespace {

constexpr int kTile = 16;
constexpr int kBiasThreads = 256;

__host__ __device__ int64_t Ceil(int64_t count, int64_t size) { return (count + size - 1) / size; }

template <typename Io>
__device__ float At(const void* data, int64_t offset) {
  return ToFloat(static_cast<const Io*>(data)[offset]);
}

template <typename Io>
__global__ void __launch_bounds__(kTile* kTile)
    LinearKernel(const __grid_constant__ LinearShape shape,
                 const __grid_constant__ LinearPointers tensors) {
  __shared__ float x[kTile][kTile + 1], w[kTile][kTile + 1];
  const int tx = threadIdx.x % kTile, ty = threadIdx.x / kTile;
  const int64_t across = Ceil(shape.out, kTile), down = Ceil(shape.rows, kTile);
  const int64_t tile = blockIdx.x;
  const int64_t matrix = tile / across / down;
  const int64_t row = tile / across % down * kTile + ty;
  const int64_t first = tile % across * kTile, column = first + tx;
  float sum = 0.0f;
  if (tensors.bias != nullptr && column < shape.out)
    sum = At<Io>(tensors.bias, column * shape.bias_stride);
  for (int64_t from = 0; from < shape.in; from += kTile) {
    const int64_t c = from + tx, weight_row = first + ty;
    __syncthreads();
    x[ty][tx] = row < shape.rows && c < shape.in
                    ? At<Io>(tensors.x, Offset(shape.x, matrix, 0, row, c))
                    : 0.0f;
    w[ty][tx] = weight_row < shape.out && c < shape.in
                    ? At<Io>(tensors.weight, Offset(shape.weight, 0, 0, weight_row, c))
                    : 0.0f;
    __syncthreads();
#pragma unroll
    for (int t = 0; t < kTile; ++t) sum += x[ty][t] * w[tx][t];
  }
  if (row < shape.rows && column < shape.out)
    Assign(static_cast<Io*>(tensors.y)[Offset(shape.y, matrix, 0, row, column)], sum);
}

template <typename Io>
__global__ void __launch_bounds__(kBiasThreads)
    BiasKernel(const __grid_constant__ LinearShape shape,
               const __grid_constant__ LinearPointers tensors) {
  const int64_t element = int64_t{blockIdx.x} * kBiasThreads + threadIdx.x;
  if (element >= shape.matrices * shape.rows * shape.out) return;
  const int64_t column = element % shape.out, row = element / shape.out % shape.rows;
  const int64_t matrix = element / shape.out / shape.rows;
  static_cast<Io*>(tensors.y)[Offset(shape.y, matrix, 0, row, column)] =
      static_cast<const Io*>(tensors.bias)[column * shape.bias_stride];
}

template <typename Io>
cudaError_t LaunchLinearAs(const LinearShape& shape, const LinearPointers& tensors,
                           cudaStream_t stream) {
  const int64_t tiles = shape.matrices * Ceil(shape.out, kTile) * Ceil(shape.rows, kTile);
  LinearKernel<Io><<<static_cast<unsigned>(tiles), kTile * kTile, 0, stream>>>(shape, tensors);
  return cudaGetLastError();
}

template <typename Io>
cudaError_t LaunchBiasAs(const LinearShape& shape, const LinearPointers& tensors,
                         cudaStream_t stream) {
  const int64_t blocks = Ceil(shape.matrices * shape.rows * shape.out, kBiasThreads);
  BiasKernel<Io><<<static_cast<unsigned>(blocks), kBiasThreads, 0, stream>>>(shape, tensors);
  return cudaGetLastError();
}

}  // namespace

cudaError_t LaunchLinear(int32_t dtype, const LinearShape& shape, const LinearPointers& tensors,
                         cudaStream_t stream) {
  if (dtype == ATTEST_F16) return LaunchLinearAs<__half>(shape, tensors, stream);
  if (dtype == ATTEST_BF16) return LaunchLinearAs<__nv_bfloat16>(shape, tensors, stream);
  return LaunchLinearAs<float>(shape, tensors, stream);
}

cudaError_t LaunchBias(int32_t dtype, const LinearShape& shape, const LinearPointers& tensors,
                       cudaStream_t stream) {
  if (dtype == ATTEST_F16) return LaunchBiasAs<__half>(shape, tensors, stream);
  if (dtype == ATTEST_BF16) return LaunchBiasAs<__nv_bfloat16>(shape, tensors, stream);
  return LaunchBiasAs<float>(shape, tensors, stream);
}

}  // namespace attest::cuda
