// SPDX-License-Identifier: Apache-2.0
//
// Io types to and from f32 (rounding to nearest even), and the score rules that the kernels share.
#ifndef ATTEST_CUDA_ELEMENTS_CUH_
#define ATTEST_CUDA_ELEMENTS_CUH_

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "attest/abi.h"
#include "kernels.h"

namespace attest::cuda {

__device__ inline float ToFloat(float x) { return x; }
__device__ inline float ToFloat(__half x) { return __half2float(x); }
__device__ inline float ToFloat(__nv_bfloat16 x) { return __bfloat162float(x); }

__device__ inline void Assign(float& to, float x) { to = x; }
__device__ inline void Assign(__half& to, float x) { to = __float2half_rn(x); }
__device__ inline void Assign(__nv_bfloat16& to, float x) { to = __float2bfloat16_rn(x); }

// What the mask adds to a score: 0, its own value, or -inf where it hides the key.
template <typename Io>
__device__ inline float MaskBias(const SdpaShape& shape, const void* mask, const Row& r,
                                 int64_t j) {
  if (shape.attn_mask == ATTEST_MASK_NONE) return 0.0f;
  const int64_t at = Offset(shape.mask, r.b, r.h, r.i, j);
  if (shape.attn_mask == ATTEST_MASK_ADDITIVE) return ToFloat(static_cast<const Io*>(mask)[at]);
  return static_cast<const unsigned char*>(mask)[at] ? 0.0f : -INFINITY;
}

__device__ inline float Softcapped(const SdpaShape& shape, float score) {
  return shape.softcap > 0.0f ? shape.softcap * tanhf(score / shape.softcap) : score;
}

__device__ inline const int64_t* KvLength(const SdpaShape& shape, const SdpaPointers& tensors,
                                          int64_t b) {
  return tensors.kv_lengths == nullptr ? nullptr : tensors.kv_lengths + b * shape.kv_lengths_stride;
}

__device__ inline float WarpMax(float x) {
  for (int step = 16; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, step));
  return x;
}

__device__ inline float WarpSum(float x) {
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}

}  // namespace attest::cuda

#endif  // ATTEST_CUDA_ELEMENTS_CUH_
