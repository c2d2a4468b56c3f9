// SPDX-License-Identifier: Apache-2.0
//
// What a device can do at best: Fma keeps 8 chains of float4 multiply-adds busy in registers, Read
// sums a buffer with neighbouring work-items at neighbouring addresses. Both write one float per
// work-item, so that no compiler can drop the work.

#define CHAINS 8

// 2 * 4 * CHAINS * rounds FLOP per work-item.
__kernel void Fma(__global float* sink, float factor, int rounds) {
  float4 x[CHAINS];
  for (int c = 0; c < CHAINS; ++c) x[c] = (float4)(get_global_id(0) + c);
  for (int round = 0; round < rounds; ++round) {
#pragma unroll
    for (int c = 0; c < CHAINS; ++c) x[c] = fma(x[c], (float4)(factor), (float4)(1.0f));
  }
  float4 sum = x[0];
  for (int c = 1; c < CHAINS; ++c) sum += x[c];
  sink[get_global_id(0)] = sum.x + sum.y + sum.z + sum.w;
}

__kernel void Read(const __global float4* data, __global float* sink, ulong count) {
  float4 sum = (float4)(0.0f);
  for (ulong i = get_global_id(0); i < count; i += get_global_size(0)) sum += data[i];
  sink[get_global_id(0)] = sum.x + sum.y + sum.z + sum.w;
}
