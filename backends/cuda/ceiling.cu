// SPDX-License-Identifier: Apache-2.0
//
// What the device can do at best: Fma keeps 8 chains of f32 multiply-adds a thread in registers,
// Read sums a buffer with neighbouring threads at neighbouring 16-byte words. Each writes its sums,
// so that no compiler drops the work. Delay holds the stream so that launches behind it are queued
// already.
#include "kernels.h"

namespace attest::cuda {
namespace {

constexpr int kChains = 8;

__global__ void __launch_bounds__(kCeilingThreads) FmaKernel(int rounds, float* sink) {
  const unsigned thread = blockIdx.x * kCeilingThreads + threadIdx.x;
  const float factor = 0.5f;  // x -> x / 2 + 1 stays finite
  float x[kChains];
#pragma unroll
  for (int c = 0; c < kChains; ++c) x[c] = static_cast<float>(thread + c);
#pragma unroll 8
  for (int round = 0; round < rounds; ++round) {
#pragma unroll
    for (int c = 0; c < kChains; ++c) x[c] = fmaf(x[c], factor, 1.0f);
  }
  float sum = 0.0f;
#pragma unroll
  for (int c = 0; c < kChains; ++c) sum += x[c];
  sink[thread] = sum;
}

__global__ void __launch_bounds__(kCeilingThreads)
    ReadKernel(const float4* data, uint64_t count, float* sink) {
  const uint64_t thread = uint64_t{blockIdx.x} * kCeilingThreads + threadIdx.x;
  const uint64_t step = uint64_t{gridDim.x} * kCeilingThreads;
  float sum = 0.0f;
#pragma unroll 4
  for (uint64_t i = thread; i < count; i += step) {
    const float4 x = data[i];
    sum += x.x + x.y + x.z + x.w;
  }
  sink[thread] = sum;
}

__device__ uint64_t NowNanoseconds() {
  uint64_t now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}

__global__ void DelayKernel(uint64_t nanoseconds) {
  const uint64_t start = NowNanoseconds();
  while (NowNanoseconds() - start < nanoseconds) {
  }
}

}  // namespace

cudaError_t LaunchFma(int blocks, int rounds, float* sink, cudaStream_t stream) {
  FmaKernel<<<blocks, kCeilingThreads, 0, stream>>>(rounds, sink);
  return cudaGetLastError();
}

cudaError_t LaunchRead(int blocks, const void* data, uint64_t count, float* sink,
                       cudaStream_t stream) {
  ReadKernel<<<blocks, kCeilingThreads, 0, stream>>>(static_cast<const float4*>(data), count, sink);
  return cudaGetLastError();
}

cudaError_t LaunchDelay(uint64_t nanoseconds, cudaStream_t stream) {
  DelayKernel<<<1, 1, 0, stream>>>(nanoseconds);
  return cudaGetLastError();
}

}  // namespace attest::cuda
