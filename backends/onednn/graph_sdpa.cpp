// SPDX-License-Identifier: Apache-2.0
#include "graph_sdpa.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "attest/sdpa.hpp"

namespace attest::onednn::graph {
namespace {

using Sizes = std::vector<int64_t>;

DataType TypeOf(int32_t dtype) {
  switch (dtype) {
    case ATTEST_F32:
      return kF32;
    case ATTEST_F16:
      return kF16;
    case ATTEST_BF16:
      return kBf16;
    case ATTEST_BOOL:
      return kBoolean;
    default:
      throw Unsupported("oneDNN's Graph API has f32, f16 and bf16 on CPUs");
  }
}

LogicalTensor Describe(size_t id, DataType type, const Sizes& sizes, const Sizes& strides) {
  LogicalTensor tensor{};
  tensor.id = id;
  tensor.dimensions = static_cast<int>(sizes.size());
  tensor.data_type = type;
  tensor.property = kVariable;
  tensor.layout_type = kStrided;
  std::copy(sizes.begin(), sizes.end(), tensor.sizes);
  std::copy(strides.begin(), strides.end(), tensor.strides);
  return tensor;
}

LogicalTensor Dense(size_t id, DataType type, const Sizes& sizes) {
  Sizes strides(sizes.size(), 1);
  for (size_t i = sizes.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * sizes[i];
  return Describe(id, type, sizes, strides);
}

class Builder {
 public:
  Builder(const Library& library, const Request& request)
      : library_(library),
        call_(library.functions()),
        problem_(request.problem),
        tensors_(request.tensors),
        type_(TypeOf(request.problem.dtype)),
        group_(request.problem.q_num_heads / request.problem.kv_num_heads),
        graph_(library.Make(call_.graph_graph_destroy, "graph_graph_create",
                            [&](void** graph) { return call_.graph_graph_create(graph, kCpu); })) {}

  Handle Build() {
    const LogicalTensor scores = Masked(Softcapped(Products()));
    const LogicalTensor p = Between(type_);
    const Handle softmax = Op(kSoftMax, "softmax", {scores}, p);
    const int64_t last_axis = -1;
    library_.Check(call_.graph_op_set_attr_s64(softmax.get(), kAxis, &last_axis, 1),
                   "softmax axis");
    if (library_.has_softmax_of_nothing()) {
      constexpr std::string_view kZero = "inf_as_zero";
      library_.Check(call_.graph_op_set_attr_str(softmax.get(), kMode, kZero.data(), kZero.size()),
                     "softmax mode");
    }
    Add(softmax);
    Add(Op(kMatMul, "pv", {p, Heads(kV, ATTEST_ROLE_V, 1)}, Heads(kOut, ATTEST_ROLE_OUT, group_)));
    library_.Check(call_.graph_graph_finalize(graph_.get()), "graph_graph_finalize");
    return std::move(graph_);
  }

 private:
  LogicalTensor Products() {
    const LogicalTensor products = Between(kF32);
    const Handle op = Op(kMatMul, "qk",
                         {Heads(kQ, ATTEST_ROLE_Q, group_), Heads(kK, ATTEST_ROLE_K, 1)}, products);
    const uint8_t yes = 1;
    library_.Check(call_.graph_op_set_attr_bool(op.get(), kTransposeB, &yes, 1), "transpose_b");
    Add(op);
    return Then(kMultiply, "scale", {products, Dense(kScale, kF32, {1})});
  }

  LogicalTensor Softcapped(const LogicalTensor& scores) {
    if (problem_.softcap == 0) return scores;
    const LogicalTensor tanh = Then(kTanh, "tanh", {scores});
    return Then(kMultiply, "softcap", {tanh, Dense(kSoftcap, kF32, {1})});
  }

  LogicalTensor Masked(LogicalTensor scores) {
    if (HasPositionRules(problem_)) {
      Sizes sizes = ScoreSizes();
      std::fill(sizes.begin(), sizes.end() - 2, 1);
      scores = Then(kAdd, "positions", {scores, Dense(kPositions, type_, sizes)});
    }
    if (problem_.attn_mask == ATTEST_MASK_NONE) return scores;
    const LogicalTensor mask = Heads(kMask, ATTEST_ROLE_MASK, group_);
    if (problem_.attn_mask == ATTEST_MASK_ADDITIVE) return Then(kAdd, "mask", {scores, mask});
    return Then(kSelect, "mask", {mask, scores, Dense(kMinusInfinity, kF32, {1})});
  }

  // [B, heads, L, n] as it lies, or [B, heads / group, group, L, n]. Sizes whose stride is 0 are 1,
  // and stand for all.
  LogicalTensor Heads(TensorId id, int role, int64_t group) const {
    const attest_tensor& tensor = GetTensor(tensors_, role);
    Sizes sizes(tensor.shape, tensor.shape + 4), strides(tensor.strides, tensor.strides + 4);
    if (group_ > 1) {
      sizes.insert(sizes.begin() + 2, group);
      sizes[1] /= group;
      strides.insert(strides.begin() + 1, strides[1] * group);
    }
    for (size_t i = sizes.size(); i-- > 0;) {
      if (strides[i] != 0) continue;
      sizes[i] = 1;
      strides[i] = i + 1 == sizes.size() ? 1 : strides[i + 1] * sizes[i + 1];
    }
    return Describe(id, TypeOf(tensor.dtype), sizes, strides);
  }

  Sizes ScoreSizes() const {
    Sizes sizes{problem_.batch_size, problem_.kv_num_heads, problem_.q_sequence_length,
                problem_.kv_sequence_length};
    if (group_ > 1) sizes.insert(sizes.begin() + 2, group_);
    return sizes;
  }

  LogicalTensor Between(DataType type) { return Dense(next_id_++, type, ScoreSizes()); }

  Handle Op(OpKind kind, const char* name, std::initializer_list<LogicalTensor> inputs,
            const LogicalTensor& output) {
    Handle op = library_.Make(call_.graph_op_destroy, "graph_op_create", [&](void** made) {
      return call_.graph_op_create(made, next_op_++, kind, name);
    });
    for (const LogicalTensor& input : inputs)
      library_.Check(call_.graph_op_add_input(op.get(), &input), "graph_op_add_input");
    library_.Check(call_.graph_op_add_output(op.get(), &output), "graph_op_add_output");
    return op;
  }

  void Add(const Handle& op) {
    library_.Check(call_.graph_add_op(graph_.get(), op.get()), "graph_add_op");
  }

  // The f32 scores that come out of the op.
  LogicalTensor Then(OpKind kind, const char* name, std::initializer_list<LogicalTensor> inputs) {
    const LogicalTensor scores = Between(kF32);
    Add(Op(kind, name, inputs, scores));
    return scores;
  }

  const Library& library_;
  const Functions& call_;
  const attest_problem& problem_;
  const Tensors tensors_;
  const DataType type_;
  const int64_t group_;  // query heads that share a kv head
  size_t next_id_ = kFirstBetween;
  size_t next_op_ = 0;
  Handle graph_;
};

}  // namespace

bool HasPositionRules(const attest_problem& problem) {
  return problem.is_causal || problem.left_window_size >= 0 || problem.right_window_size >= 0;
}

bool MayHaveEmptyRows(const attest_problem& problem) {
  if (problem.attn_mask != ATTEST_MASK_NONE) return true;
  for (int64_t i = 0; i < problem.q_sequence_length; ++i) {
    const KeySpan keys = VisibleKeys(problem, problem.kv_sequence_length, i);
    if (keys.begin >= keys.end) return true;
  }
  return false;
}

Handle MakeSdpaGraph(const Library& library, const Request& request) {
  return Builder(library, request).Build();
}

}  // namespace attest::onednn::graph
