// SPDX-License-Identifier: Apache-2.0
//
// Which elements a query row reads: row numbering, the kv head of a query head, visible key range,
// strided offsets. Compiled for host and device, so that the CPU tests what the GPU runs
// (tests/backends/cuda_math_test.cpp). Masks of the problem that are data are the kernels'
// business.
#ifndef ATTEST_CUDA_INDEX_MATH_H_
#define ATTEST_CUDA_INDEX_MATH_H_

#include <cstdint>

#ifdef __CUDACC__
#define ATTEST_HOST_DEVICE __host__ __device__
#else
#define ATTEST_HOST_DEVICE
#endif

namespace attest::cuda {

struct Strides {
  int64_t b, h, l, c;  // in elements
};

// attest_problem, as far as kernels need it; passed to them by value.
struct SdpaShape {
  int64_t batch_size, q_num_heads, kv_num_heads;
  int64_t q_sequence_length, kv_sequence_length, head_size, v_head_size;
  int64_t causal_offset, left_window_size, right_window_size;
  Strides q, k, v, mask, out, lse, weights;
  int64_t kv_lengths_stride;
  int32_t is_causal, attn_mask;
  float scale, softcap;
};

struct Row {
  int64_t b, h, i;  // batch entry, query head, query position
};

struct KeyRange {
  int64_t begin, end;  // empty where begin >= end
};

ATTEST_HOST_DEVICE inline int64_t RowCount(const SdpaShape& shape) {
  return shape.batch_size * shape.q_num_heads * shape.q_sequence_length;
}

// Rows count queries first, then heads, then batch entries.
ATTEST_HOST_DEVICE inline Row RowOf(const SdpaShape& shape, int64_t row) {
  const int64_t head = row / shape.q_sequence_length;
  return {head / shape.q_num_heads, head % shape.q_num_heads, row % shape.q_sequence_length};
}

ATTEST_HOST_DEVICE inline int64_t KvHead(const SdpaShape& shape, int64_t q_head) {
  return q_head / (shape.q_num_heads / shape.kv_num_heads);
}

ATTEST_HOST_DEVICE inline int64_t Offset(const Strides& strides, int64_t b, int64_t h, int64_t l,
                                         int64_t c) {
  return b * strides.b + h * strides.h + l * strides.l + c * strides.c;
}

// Keys that causality, windows and length leave to query i. `kv_length` is the batch entry's
// KV_LENGTHS, or null where the problem has none.
ATTEST_HOST_DEVICE inline KeyRange VisibleKeys(const SdpaShape& shape, int64_t i,
                                               const int64_t* kv_length) {
  int64_t offset = shape.causal_offset;
  KeyRange keys = {0, shape.kv_sequence_length};
  const auto cut = [&keys](int64_t end) { keys.end = end < keys.end ? end : keys.end; };
  if (kv_length != nullptr) {
    offset = *kv_length - shape.q_sequence_length;
    cut(*kv_length);
  }
  if (shape.is_causal) cut(i + offset + 1);
  if (shape.right_window_size >= 0) cut(i + offset + shape.right_window_size + 1);
  if (shape.left_window_size >= 0) keys.begin = i + offset - shape.left_window_size;
  if (keys.begin < 0) keys.begin = 0;
  return keys;
}

}  // namespace attest::cuda

#endif  // ATTEST_CUDA_INDEX_MATH_H_
