// SPDX-License-Identifier: Apache-2.0
#include "primitives.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace attest::onednn {
namespace {

using dnnl::memory;

memory::data_type TypeOf(int32_t dtype) {
  switch (dtype) {
    case ATTEST_F32:
      return memory::data_type::f32;
    case ATTEST_F16:
      return memory::data_type::f16;
    case ATTEST_BF16:
      return memory::data_type::bf16;
    default:
      throw Unsupported("the onednn backend knows the io types f32, f16 and bf16");
  }
}

memory::desc RowsOf(const Request& request, int32_t role, int64_t rows) {
  const attest_tensor& tensor = GetTensor(request.tensors, role);
  return memory::desc({rows, tensor.shape[3]}, TypeOf(tensor.dtype),
                      memory::dims{tensor.strides[2], tensor.strides[3]});
}

memory::desc TransposedRowsOf(const Request& request, int32_t role, int64_t rows) {
  const attest_tensor& tensor = GetTensor(request.tensors, role);
  return memory::desc({tensor.shape[3], rows}, TypeOf(tensor.dtype),
                      memory::dims{tensor.strides[3], tensor.strides[2]});
}

// The scratchpad is ours: one allocation per thread, before anything is timed.
dnnl::primitive_attr Attributes(double scale) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (scale == 1) return attributes;
  dnnl::post_ops operations;
  const float factor = static_cast<float>(scale);
#if DNNL_VERSION_MAJOR >= 3
  operations.append_eltwise(dnnl::algorithm::eltwise_linear, factor, 0.0f);
#else
  operations.append_eltwise(1.0f, dnnl::algorithm::eltwise_linear, factor, 0.0f);
#endif
  attributes.set_post_ops(operations);
  return attributes;
}

dnnl::matmul::primitive_desc ChooseMatmul(const memory::desc& a, const memory::desc& b,
                                          const memory::desc& out, double scale,
                                          const dnnl::engine& engine) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, a, b, out, Attributes(scale)};
#else
  return {dnnl::matmul::desc(a, b, out), Attributes(scale), engine};
#endif
}

template <typename Softmax>
typename Softmax::primitive_desc ChooseSoftmax(const memory::desc& from, const memory::desc& to,
                                               const dnnl::engine& engine) {
  constexpr auto kPropagation = dnnl::prop_kind::forward_inference;
  constexpr auto kAlgorithm = dnnl::algorithm::softmax_accurate;
  constexpr int kAxis = 1;  // over the keys
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kPropagation, kAlgorithm, from, to, kAxis, Attributes(1)};
#else
  return {typename Softmax::desc(kPropagation, kAlgorithm, from, to, kAxis), Attributes(1), engine};
#endif
}

// The C call: the C++ one builds a hash map and a vector at every execution.
template <size_t kCount>
void Execute(const dnnl::primitive& primitive, const dnnl::stream& stream,
             const std::array<dnnl_exec_arg_t, kCount>& arguments) {
  const dnnl_status_t status = dnnl_primitive_execute(primitive.get(), stream.get(),
                                                      static_cast<int>(kCount), arguments.data());
  if (status != dnnl_success)
    throw std::runtime_error("dnnl_primitive_execute returned status " + std::to_string(status));
}

void Point(memory& target, const void* data) {
  target.set_data_handle(const_cast<void*>(data));  // oneDNN's inputs are not const either
}

}  // namespace

BlockLayout::BlockLayout(const Request& request, BlockShape shape)
    : q(RowsOf(request, ATTEST_ROLE_Q, shape.rows)),
      k(TransposedRowsOf(request, ATTEST_ROLE_K, shape.keys)),
      v(RowsOf(request, ATTEST_ROLE_V, shape.keys)),
      scores({shape.rows, shape.keys}, memory::data_type::f32, memory::format_tag::ab),
      weights({shape.rows, shape.keys}, TypeOf(request.problem.dtype), memory::format_tag::ab),
      out(RowsOf(request, ATTEST_ROLE_OUT, shape.rows)) {}

BlockChoice::BlockChoice(const Request& request, BlockShape block, const dnnl::engine& engine)
    : shape(block),
      layout(request, block),
      scores_(ChooseMatmul(layout.q, layout.k, layout.scores, request.problem.scale, engine)),
      softmax_(ChooseSoftmax<Softmax>(layout.scores, layout.weights, engine)),
      out_(ChooseMatmul(layout.weights, layout.v, layout.out, 1, engine)) {}

std::vector<std::string> BlockChoice::matmul_names() const {
  return {scores_.impl_info_str(), out_.impl_info_str()};
}

std::string BlockChoice::softmax_name() const { return softmax_.impl_info_str(); }

uint64_t BlockChoice::scratchpad_bytes() const {
  return std::max({scores_.scratchpad_desc().get_size(), softmax_.scratchpad_desc().get_size(),
                   out_.scratchpad_desc().get_size()});
}

BlockPrimitives::BlockPrimitives(const BlockChoice& choice, const dnnl::engine& engine)
    : scores_(choice.scores_),
      softmax_(choice.softmax_),
      out_(choice.out_),
      q_memory_(choice.layout.q, engine, DNNL_MEMORY_NONE),
      k_memory_(choice.layout.k, engine, DNNL_MEMORY_NONE),
      v_memory_(choice.layout.v, engine, DNNL_MEMORY_NONE),
      scores_memory_(choice.layout.scores, engine, DNNL_MEMORY_NONE),
      weights_memory_(choice.layout.weights, engine, DNNL_MEMORY_NONE),
      out_memory_(choice.layout.out, engine, DNNL_MEMORY_NONE),
      scratchpad_memory_(memory::desc({static_cast<memory::dim>(choice.scratchpad_bytes())},
                                      memory::data_type::u8, memory::format_tag::a),
                         engine, DNNL_MEMORY_NONE) {}

void BlockPrimitives::Bind(const BlockData& data) {
  Point(q_memory_, data.q);
  Point(k_memory_, data.k);
  Point(v_memory_, data.v);
  Point(scores_memory_, data.scores);
  Point(weights_memory_, data.weights);
  Point(out_memory_, data.out);
  Point(scratchpad_memory_, data.scratchpad);
}

void BlockPrimitives::RunScores(const dnnl::stream& stream) const {
  Execute<4>(scores_, stream,
             {{{DNNL_ARG_SRC, q_memory_.get()},
               {DNNL_ARG_WEIGHTS, k_memory_.get()},
               {DNNL_ARG_DST, scores_memory_.get()},
               {DNNL_ARG_SCRATCHPAD, scratchpad_memory_.get()}}});
}

void BlockPrimitives::RunSoftmaxAndOut(const dnnl::stream& stream) const {
  Execute<3>(softmax_, stream,
             {{{DNNL_ARG_SRC, scores_memory_.get()},
               {DNNL_ARG_DST, weights_memory_.get()},
               {DNNL_ARG_SCRATCHPAD, scratchpad_memory_.get()}}});
  Execute<4>(out_, stream,
             {{{DNNL_ARG_SRC, weights_memory_.get()},
               {DNNL_ARG_WEIGHTS, v_memory_.get()},
               {DNNL_ARG_DST, out_memory_.get()},
               {DNNL_ARG_SCRATCHPAD, scratchpad_memory_.get()}}});
}

std::string LibraryVersion() {
  const dnnl_version_t* version = dnnl_version();
  return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
         std::to_string(version->patch);
}

std::string LibraryRuntime() {
  switch (dnnl_version()->cpu_runtime) {
    case DNNL_RUNTIME_OMP:
      return "std::thread over single-threaded primitives (OpenMP build)";
    case DNNL_RUNTIME_TBB:
      return "std::thread over primitives (TBB build)";
    case DNNL_RUNTIME_SEQ:
      return "std::thread over single-threaded primitives (sequential build)";
    default:
      return "std::thread over primitives";
  }
}

}  // namespace attest::onednn
