// SPDX-License-Identifier: Apache-2.0
//
// What a kernel has to know of a problem and of where its tensors lie. Read by the C++ host and,
// pasted before each kernel, by the OpenCL compiler: so plain C, every member 8 bytes or paired to
// 8, the same layout on both sides.
#ifndef ATTEST_OPENCL_SDPA_SHAPE_H_
#define ATTEST_OPENCL_SDPA_SHAPE_H_

#ifdef __OPENCL_VERSION__
typedef long attest_i64;
typedef int attest_i32;
#else
#include <CL/cl_platform.h>
typedef cl_long attest_i64;
typedef cl_int attest_i32;
#endif

// Element (b, h, l, c) of a tensor is at data_bytes + (b, h, l, c) . strides elements in its
// buffer.
typedef struct TensorPlace {
  attest_i64 data_bytes;
  attest_i64 strides[4];
} TensorPlace;

typedef struct SdpaShape {
  attest_i64 batch_size;
  attest_i64 q_num_heads;
  attest_i64 q_heads_per_kv_head;
  attest_i64 q_sequence_length;
  attest_i64 kv_sequence_length;
  attest_i64 head_size;
  attest_i64 v_head_size;
  attest_i64 causal_offset;
  attest_i64 left_window_size;
  attest_i64 right_window_size;
  TensorPlace q, k, v, mask, kv_lengths, out, lse, weights;
  attest_i32 is_causal;
  attest_i32 attn_mask;  // ATTEST_MASK_*
  attest_i32 has_kv_lengths;
  attest_i32 has_lse;
  attest_i32 has_weights;
  attest_i32 reserved;
  float scale;
  float softcap;
} SdpaShape;

#endif  // ATTEST_OPENCL_SDPA_SHAPE_H_
