// SPDX-License-Identifier: Apache-2.0
#include "primitives.h"

#include <array>
#include <stdexcept>

#include "attest/backend.hpp"

namespace attest::onednn {
namespace {

using dnnl::memory;

memory::desc DescriptorOf(const Matrix& matrix) {
  return memory::desc({matrix.rows, matrix.cols}, matrix.type, memory::dims{matrix.stride, 1});
}

memory::desc TransposedDescriptorOf(const Matrix& matrix) {
  return memory::desc({matrix.cols, matrix.rows}, matrix.type, memory::dims{1, matrix.stride});
}

// The scratchpad is ours: one allocation per thread, before anything is timed.
dnnl::primitive_attr Attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::primitive_attr WithPostOperation(const dnnl::post_ops& operation) {
  dnnl::primitive_attr attributes = Attributes();
  attributes.set_post_ops(operation);
  return attributes;
}

dnnl::primitive_attr Adding() {
  dnnl::post_ops operations;
  operations.append_sum(1.0f);
  return WithPostOperation(operations);
}

dnnl::primitive_attr Scaling(double scale) {
  if (scale == 1) return Attributes();
  dnnl::post_ops operations;
  const float factor = static_cast<float>(scale);
#if DNNL_VERSION_MAJOR >= 3
  operations.append_eltwise(dnnl::algorithm::eltwise_linear, factor, 0.0f);
#else
  operations.append_eltwise(1.0f, dnnl::algorithm::eltwise_linear, factor, 0.0f);
#endif
  return WithPostOperation(operations);
}

dnnl::matmul::primitive_desc ChooseMatmul(const memory::desc& a, const memory::desc& b,
                                          const memory::desc& bias, const memory::desc& out,
                                          const dnnl::primitive_attr& attributes,
                                          const dnnl::engine& engine) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, a, b, bias, out, attributes};
#else
  return {dnnl::matmul::desc(a, b, bias, out), attributes, engine};
#endif
}

template <typename Primitive>
typename Primitive::primitive_desc ChooseSoftmax(const memory::desc& rows,
                                                 const dnnl::engine& engine) {
  constexpr auto kPropagation = dnnl::prop_kind::forward_inference;
  constexpr auto kAlgorithm = dnnl::algorithm::softmax_accurate;
  constexpr int kAxis = 1;
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kPropagation, kAlgorithm, rows, rows, kAxis, Attributes()};
#else
  return {typename Primitive::desc(kPropagation, kAlgorithm, rows, rows, kAxis), Attributes(),
          engine};
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

memory Unbound(const memory::desc& descriptor, const dnnl::engine& engine) {
  return memory(descriptor, engine, DNNL_MEMORY_NONE);
}

}  // namespace

DataType TypeOf(int32_t dtype) {
  switch (dtype) {
    case ATTEST_F32:
      return DataType::f32;
    case ATTEST_F16:
      return DataType::f16;
    case ATTEST_BF16:
      return DataType::bf16;
    default:
      throw Unsupported("the onednn backend knows the io types f32, f16 and bf16");
  }
}

DataType ProductTypeOf(int32_t dtype, const dnnl::engine& engine) {
  const DataType type = TypeOf(dtype);
  try {
    const Matrix square{64, 64, 64, type};
    const MatmulChoice choice(square, square, {64, 64, 64, DataType::f32}, MatmulChoice::kStore,
                              engine);
    return choice.is_reference() ? DataType::f32 : type;
  } catch (const dnnl::error&) {
    return DataType::f32;
  }
}

MatmulChoice::MatmulChoice(const memory::desc& a, const memory::desc& b, const memory::desc& bias,
                           const memory::desc& out, const dnnl::primitive_attr& attributes,
                           const dnnl::engine& engine)
    : descriptor(ChooseMatmul(a, b, bias, out, attributes, engine)) {}

MatmulChoice::MatmulChoice(Matrix a, Matrix b, Matrix out, Mode mode, const dnnl::engine& engine)
    : MatmulChoice(DescriptorOf(a), DescriptorOf(b), {}, DescriptorOf(out),
                   mode == kAdd ? Adding() : Attributes(), engine) {}

MatmulChoice MatmulChoice::ByPanels(Matrix a, Matrix b, Matrix out, const dnnl::engine& engine) {
  static_assert(kPanelCols == 64 && kPanelRowStep == 16);
  const memory::desc panels({b.rows, b.cols}, DataType::f32, memory::format_tag::BA16a64b);
  return {DescriptorOf(a), panels, {}, DescriptorOf(out), Attributes(), engine};
}

MatmulChoice MatmulChoice::Transposed(Matrix a, Matrix b, Matrix out, double scale,
                                      const dnnl::engine& engine) {
  return {DescriptorOf(a), TransposedDescriptorOf(b), {}, DescriptorOf(out), Scaling(scale),
          engine};
}

MatmulChoice MatmulChoice::Linear(Matrix a, Matrix b, Matrix out, bool has_bias,
                                  const dnnl::engine& engine) {
  const Matrix bias{1, out.cols, out.cols, out.type};
  return {DescriptorOf(a),
          TransposedDescriptorOf(b),
          has_bias ? DescriptorOf(bias) : memory::desc(),
          DescriptorOf(out),
          Attributes(),
          engine};
}

Matmul::Matmul(const MatmulChoice& choice, const dnnl::engine& engine)
    : primitive_(choice.descriptor),
      a_(Unbound(choice.descriptor.src_desc(), engine)),
      b_(Unbound(choice.descriptor.weights_desc(), engine)),
      bias_(Unbound(choice.descriptor.bias_desc(), engine)),
      out_(Unbound(choice.descriptor.dst_desc(), engine)),
      scratchpad_(Unbound(choice.descriptor.scratchpad_desc(), engine)) {}

void Matmul::Bind(const void* a, const void* b, void* out, void* scratchpad) {
  Point(a_, a);
  Point(b_, b);
  Point(out_, out);
  Point(scratchpad_, scratchpad);
}

void Matmul::Run(const dnnl::stream& stream, const void* a, const void* b, void* out,
                 void* scratchpad) {
  Bind(a, b, out, scratchpad);
  Execute<4>(primitive_, stream,
             {{{DNNL_ARG_SRC, a_.get()},
               {DNNL_ARG_WEIGHTS, b_.get()},
               {DNNL_ARG_DST, out_.get()},
               {DNNL_ARG_SCRATCHPAD, scratchpad_.get()}}});
}

void Matmul::Run(const dnnl::stream& stream, const void* a, const void* b, const void* bias,
                 void* out, void* scratchpad) {
  Bind(a, b, out, scratchpad);
  Point(bias_, bias);
  Execute<5>(primitive_, stream,
             {{{DNNL_ARG_SRC, a_.get()},
               {DNNL_ARG_WEIGHTS, b_.get()},
               {DNNL_ARG_BIAS, bias_.get()},
               {DNNL_ARG_DST, out_.get()},
               {DNNL_ARG_SCRATCHPAD, scratchpad_.get()}}});
}

SoftmaxChoice::SoftmaxChoice(int64_t rows, int64_t cols, const dnnl::engine& engine)
    : descriptor(
          ChooseSoftmax<Primitive>(DescriptorOf({rows, cols, cols, DataType::f32}), engine)) {}

Softmax::Softmax(const SoftmaxChoice& choice, const dnnl::engine& engine)
    : primitive_(choice.descriptor),
      rows_(Unbound(choice.descriptor.dst_desc(), engine)),
      scratchpad_(Unbound(choice.descriptor.scratchpad_desc(), engine)) {}

void Softmax::Run(const dnnl::stream& stream, float* rows, void* scratchpad) {
  Point(rows_, rows);
  Point(scratchpad_, scratchpad);
  Execute<3>(primitive_, stream,
             {{{DNNL_ARG_SRC, rows_.get()},
               {DNNL_ARG_DST, rows_.get()},
               {DNNL_ARG_SCRATCHPAD, scratchpad_.get()}}});
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
