// SPDX-License-Identifier: Apache-2.0
//
// The self_attention operation taken apart (abi.h, attest_problem): linear maps before, sdpa on
// what they store, a linear map after it. LayerParts describes the parts and says where their
// tensors lie; LayerPlan puts a host backend's sdpa plan and its matrix product together to the
// whole layer, with Q, K, V and the heads' outputs stored in the io type (Contract::projections).
// Device backends use LayerParts with their own memory.
#ifndef ATTEST_LAYER_HPP_
#define ATTEST_LAYER_HPP_

#include <array>
#include <cstdint>
#include <vector>

#include "attest/abi.h"
#include "attest/backend.hpp"

namespace attest {

// y = x W^T + b. Any strides, innermost 1 in what the host lays out; role 0 where there is no bias.
struct LinearMap {
  attest_tensor x;       // [B, L, in]
  attest_tensor weight;  // [out, in]
  attest_tensor bias;    // [out]
  attest_tensor y;       // [B, L, out]
};

// Elements of what a layer stores between its parts; 0: that one is an input or an output itself.
struct LayerScratch {
  int64_t q = 0;  // [B, Lq, q_num_heads,  head_size]
  int64_t k = 0;  // [B, Lk, kv_num_heads, head_size]
  int64_t v = 0;  // [B, Lk, kv_num_heads, v_head_size]
  int64_t o = 0;  // [B, Lq, q_num_heads,  v_head_size]
  int64_t total() const { return q + k + v + o; }
};

inline LayerScratch ScratchOf(const attest_problem& p) {
  const int64_t queries = p.batch_size * p.q_sequence_length;
  const int64_t keys = p.batch_size * p.kv_sequence_length;
  const bool same = p.structure == ATTEST_STRUCTURE_TIED_QK && !p.is_cross;  // K is Q
  LayerScratch scratch;
  if (p.has_output_projection) scratch.o = queries * p.q_num_heads * p.v_head_size;
  if (p.structure == ATTEST_STRUCTURE_PARAMETER_FREE) return scratch;
  scratch.q = queries * p.q_num_heads * p.head_size;
  scratch.k = same ? 0 : keys * p.kv_num_heads * p.head_size;
  scratch.v = keys * p.kv_num_heads * p.v_head_size;
  return scratch;
}

// The sdpa inside: the same heads, lengths, masks and outputs.
inline attest_problem SdpaInside(attest_problem problem) {
  problem.op = ATTEST_OP_SDPA;
  problem.hidden_size = problem.structure = problem.has_bias = 0;
  problem.has_output_projection = problem.is_cross = 0;
  return problem;
}

class LayerParts {
 public:
  // Where the scratch lies, each part as ScratchOf says; null where only descriptions matter.
  // mean_pool: q and k must hold zeros, nothing else writes them.
  struct Memory {
    void *q = nullptr, *k = nullptr, *v = nullptr, *o = nullptr;
  };

  // `tensors`: the layer's. `dtype`: of the scratch. Throws std::invalid_argument where one of the
  // structure's tensors is missing.
  LayerParts(const attest_problem& problem, Tensors tensors, int32_t dtype, const Memory& memory)
      : p_(problem), dtype_(dtype) {
    const attest_tensor& x = GetTensor(tensors, ATTEST_ROLE_X);
    const attest_tensor& y = p_.is_cross ? GetTensor(tensors, ATTEST_ROLE_X_KV) : x;
    const attest_tensor& out = GetTensor(tensors, ATTEST_ROLE_OUT);
    const bool mapped = p_.has_output_projection != 0;
    const attest_tensor o =
        mapped ? Stored(memory.o, p_.q_sequence_length, p_.q_num_heads * p_.v_head_size) : out;
    if (p_.structure == ATTEST_STRUCTURE_PARAMETER_FREE) {
      AddSdpa(x, y, y, o);
    } else {
      AddMaps(tensors, x, y, o, memory);
    }
    if (mapped) after_.push_back(Map(tensors, o, ATTEST_ROLE_WO, ATTEST_ROLE_BO, out));
    for (const attest_tensor* tensor : tensors) {
      const int32_t role = tensor->role;
      if (role == ATTEST_ROLE_MASK || role == ATTEST_ROLE_KV_LENGTHS || role > ATTEST_ROLE_OUT)
        sdpa_.push_back(*tensor);
    }
  }

  const std::vector<LinearMap>& before() const { return before_; }  // to Q, K and V
  const std::vector<LinearMap>& after() const { return after_; }    // the output map, or nothing
  const std::vector<attest_tensor>& sdpa() const { return sdpa_; }  // tensors of SdpaInside

 private:
  void AddMaps(Tensors tensors, const attest_tensor& x, const attest_tensor& y,
               const attest_tensor& o, const Memory& memory) {
    const int64_t queries = p_.q_sequence_length, keys = p_.kv_sequence_length;
    const bool tied = p_.structure == ATTEST_STRUCTURE_TIED_QK, same = tied && !p_.is_cross;
    const attest_tensor q = Stored(memory.q, queries, p_.q_num_heads * p_.head_size);
    const attest_tensor k = same ? q : Stored(memory.k, keys, p_.kv_num_heads * p_.head_size);
    const attest_tensor v = Stored(memory.v, keys, p_.kv_num_heads * p_.v_head_size);
    if (p_.structure != ATTEST_STRUCTURE_MEAN_POOL) {
      before_.push_back(Map(tensors, x, ATTEST_ROLE_WQ, ATTEST_ROLE_BQ, q));
      if (!same)
        before_.push_back(tied ? Map(tensors, y, ATTEST_ROLE_WQ, ATTEST_ROLE_BQ, k)
                               : Map(tensors, y, ATTEST_ROLE_WK, ATTEST_ROLE_BK, k));
    }
    before_.push_back(Map(tensors, y, ATTEST_ROLE_WV, ATTEST_ROLE_BV, v));
    AddSdpa(q, k, v, o);
  }

  LinearMap Map(Tensors tensors, const attest_tensor& x, int32_t weight, int32_t bias,
                const attest_tensor& y) const {
    return {x, GetTensor(tensors, weight), p_.has_bias ? GetTensor(tensors, bias) : attest_tensor{},
            y};
  }

  void AddSdpa(const attest_tensor& q, const attest_tensor& k, const attest_tensor& v,
               const attest_tensor& o) {
    sdpa_ = {Heads(q, ATTEST_ROLE_Q, p_.q_num_heads), Heads(k, ATTEST_ROLE_K, p_.kv_num_heads),
             Heads(v, ATTEST_ROLE_V, p_.kv_num_heads), Heads(o, ATTEST_ROLE_OUT, p_.q_num_heads)};
  }

  // Scratch [B, length, width], dense.
  attest_tensor Stored(void* data, int64_t length, int64_t width) const {
    attest_tensor tensor{};
    tensor.size = sizeof tensor;
    tensor.dtype = dtype_;
    tensor.rank = 3;
    const std::array<int64_t, 3> shape = {p_.batch_size, length, width};
    const std::array<int64_t, 3> strides = {length * width, width, 1};
    for (size_t axis = 0; axis < 3; ++axis) {
      tensor.shape[axis] = shape[axis];
      tensor.strides[axis] = strides[axis];
    }
    tensor.data = data;
    tensor.extent_bytes = static_cast<uint64_t>(p_.batch_size * length * width) * BytesOf(dtype_);
    return tensor;
  }

  // [B, L, heads * size] as [B, heads, L, size] of the same memory.
  static attest_tensor Heads(attest_tensor tensor, int32_t role, int64_t heads) {
    const int64_t size = tensor.shape[2] / heads, length = tensor.shape[1];
    tensor.role = role;
    tensor.rank = 4;
    const int64_t row = tensor.strides[1], column = tensor.strides[2];
    tensor.shape[1] = heads;
    tensor.strides[1] = size * column;
    tensor.shape[2] = length;
    tensor.strides[2] = row;
    tensor.shape[3] = size;
    tensor.strides[3] = column;
    return tensor;
  }

 public:
  static uint64_t BytesOf(int32_t dtype) {
    return dtype == ATTEST_F64 ? 8 : dtype == ATTEST_F32 ? 4 : 2;
  }

 private:
  attest_problem p_;
  int32_t dtype_;
  std::vector<LinearMap> before_, after_;
  std::vector<attest_tensor> sdpa_;
};

inline std::vector<const attest_tensor*> PointersTo(const std::vector<attest_tensor>& tensors) {
  std::vector<const attest_tensor*> pointers;
  for (const attest_tensor& tensor : tensors) pointers.push_back(&tensor);
  return pointers;
}

}  // namespace attest

#endif  // ATTEST_LAYER_HPP_
