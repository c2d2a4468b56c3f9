// SPDX-License-Identifier: Apache-2.0
//
// What host backends need of the sdpa operation besides arithmetic: its tensors, addresses of rows,
// the number of valid keys, and the span of keys that position rules (causal, windows, lengths) let
// a query see. Boolean and additive masks are not spans; a backend applies them itself. Semantics:
// abi.h.
#ifndef ATTEST_SDPA_HPP_
#define ATTEST_SDPA_HPP_

#include <algorithm>
#include <cstdint>

#include "attest/abi.h"
#include "attest/backend.hpp"

namespace attest {

// The tensors of an sdpa problem; those that it does not have are all zero.
struct SdpaTensors {
  attest_tensor q, k, v, out, mask, lengths, lse, weights;
};

// Copies of the descriptions with their data pointers. Throws std::invalid_argument where one is
// missing.
inline SdpaTensors BindSdpa(const attest_problem& problem, Tensors tensors) {
  const auto optional = [&](bool has, int32_t role) {
    return has ? GetTensor(tensors, role) : attest_tensor{};
  };
  return {GetTensor(tensors, ATTEST_ROLE_Q),
          GetTensor(tensors, ATTEST_ROLE_K),
          GetTensor(tensors, ATTEST_ROLE_V),
          GetTensor(tensors, ATTEST_ROLE_OUT),
          optional(problem.attn_mask != ATTEST_MASK_NONE, ATTEST_ROLE_MASK),
          optional(problem.has_kv_lengths != 0, ATTEST_ROLE_KV_LENGTHS),
          optional((problem.outputs & ATTEST_OUTPUT_LSE) != 0, ATTEST_ROLE_LSE),
          optional((problem.outputs & ATTEST_OUTPUT_WEIGHTS) != 0, ATTEST_ROLE_WEIGHTS)};
}

// Address of element [b, h, i, 0...] of a bound tensor of rank >= 3, in units of its element type.
template <typename T>
T* RowOf(const attest_tensor& tensor, int64_t b, int64_t h, int64_t i) {
  return static_cast<T*>(tensor.data) + b * tensor.strides[0] + h * tensor.strides[1] +
         i * tensor.strides[2];
}

// Valid keys of batch entry b: KV_LENGTHS[b] where the problem has lengths, else all of them.
// `lengths` is the bound tensor, or nullptr where the problem has none.
inline int64_t KvLength(const attest_problem& problem, const attest_tensor* lengths, int64_t b) {
  if (!problem.has_kv_lengths || lengths == nullptr) return problem.kv_sequence_length;
  return static_cast<const int64_t*>(lengths->data)[b * lengths->strides[0]];
}

struct KeySpan {
  int64_t begin;
  int64_t end;  // one past the last; begin == end: the query sees no key
  friend bool operator==(const KeySpan&, const KeySpan&) = default;
};

// Keys that query i may see, of a batch entry with `kv_length` valid keys.
inline KeySpan VisibleKeys(const attest_problem& problem, int64_t kv_length, int64_t i) {
  const int64_t offset =
      problem.has_kv_lengths ? kv_length - problem.q_sequence_length : problem.causal_offset;
  const int64_t center = i + offset;
  int64_t begin = 0;
  int64_t end = std::min(kv_length, problem.kv_sequence_length);
  if (problem.is_causal) end = std::min(end, center + 1);
  if (problem.left_window_size >= 0) begin = std::max(begin, center - problem.left_window_size);
  if (problem.right_window_size >= 0) end = std::min(end, center + problem.right_window_size + 1);
  return {std::min(begin, std::max<int64_t>(end, 0)), std::max<int64_t>(end, 0)};
}

}  // namespace attest

#endif  // ATTEST_SDPA_HPP_
