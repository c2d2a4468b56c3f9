// SPDX-License-Identifier: Apache-2.0
//
// oneDNN's matmul and softmax primitives on fixed shapes, as attention uses them: each is chosen
// (cheap, nothing is compiled), then compiled with one thread's memory objects, then run without
// creating anything. Works with oneDNN 2.6 and 3.x; primitives.cpp is the only file where they
// differ.
#ifndef ATTEST_BACKENDS_ONEDNN_PRIMITIVES_H_
#define ATTEST_BACKENDS_ONEDNN_PRIMITIVES_H_

#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>

#include "attest/abi.h"

namespace attest::onednn {

using DataType = dnnl::memory::data_type;

// oneDNN's name of an io type. Throws Unsupported for types other than f32, f16 and bf16.
DataType TypeOf(int32_t dtype);

// The type in which Q, K, V and P of an io type are multiplied: the io type where oneDNN has an
// optimized matmul for it on this CPU, else f32 after conversion.
DataType ProductTypeOf(int32_t dtype, const dnnl::engine& engine);

// A row-major matrix, `stride` elements from one row to the next.
struct Matrix {
  int64_t rows;
  int64_t cols;
  int64_t stride;
  DataType type;
};

// Panels of a matrix [k, n], as oneDNN's layout BA16a64b has them: kPanelCols columns each, one
// panel behind the other, each row-major with k rounded up to kPanelRowStep rows, zero beyond k and
// n.
inline constexpr int64_t kPanelCols = 64;
inline constexpr int64_t kPanelRowStep = 16;

// What oneDNN chose for out = a b, out += a b, out = scale a b^T or out = a b^T + bias. Throws
// dnnl::error where it has nothing.
struct MatmulChoice {
  enum Mode { kStore, kAdd };
  // a is [m, k], b is [k, n], out is [m, n].
  MatmulChoice(Matrix a, Matrix b, Matrix out, Mode mode, const dnnl::engine& engine);
  // b is [k, n] in panels of f32; its stride is not used.
  static MatmulChoice ByPanels(Matrix a, Matrix b, Matrix out, const dnnl::engine& engine);
  // b is [n, k].
  static MatmulChoice Transposed(Matrix a, Matrix b, Matrix out, double scale,
                                 const dnnl::engine& engine);
  // b is [n, k]; the bias, added to every row, has n elements of out's type.
  static MatmulChoice Linear(Matrix a, Matrix b, Matrix out, bool has_bias,
                             const dnnl::engine& engine);

  std::string name() const { return descriptor.impl_info_str(); }  // "brg:avx512_core", "ref:any"
  bool is_reference() const { return name().find("ref") != std::string::npos; }
  uint64_t scratchpad_bytes() const { return descriptor.scratchpad_desc().get_size(); }

  dnnl::matmul::primitive_desc descriptor;

 private:
  // An empty bias: none.
  MatmulChoice(const dnnl::memory::desc& a, const dnnl::memory::desc& b,
               const dnnl::memory::desc& bias, const dnnl::memory::desc& out,
               const dnnl::primitive_attr& attributes, const dnnl::engine& engine);
};

// Not to be used by two threads at once.
class Matmul {
 public:
  Matmul(const MatmulChoice& choice, const dnnl::engine& engine);
  // Throws std::runtime_error where oneDNN fails.
  void Run(const dnnl::stream& stream, const void* a, const void* b, void* out, void* scratchpad);
  // The same of a choice that has a bias.
  void Run(const dnnl::stream& stream, const void* a, const void* b, const void* bias, void* out,
           void* scratchpad);

 private:
  void Bind(const void* a, const void* b, void* out, void* scratchpad);

  dnnl::matmul primitive_;
  dnnl::memory a_, b_, bias_, out_, scratchpad_;
};

// Softmax over the columns of an f32 matrix, in place.
struct SoftmaxChoice {
#if DNNL_VERSION_MAJOR >= 3
  using Primitive = dnnl::softmax_forward;
#else
  using Primitive = dnnl::softmax_v2_forward;
#endif
  SoftmaxChoice(int64_t rows, int64_t cols, const dnnl::engine& engine);

  std::string name() const { return descriptor.impl_info_str(); }
  uint64_t scratchpad_bytes() const { return descriptor.scratchpad_desc().get_size(); }

  Primitive::primitive_desc descriptor;
};

class Softmax {
 public:
  Softmax(const SoftmaxChoice& choice, const dnnl::engine& engine);
  void Run(const dnnl::stream& stream, float* rows, void* scratchpad);

 private:
  SoftmaxChoice::Primitive primitive_;
  dnnl::memory rows_, scratchpad_;
};

// The version of the library that is loaded, and its threading runtime.
std::string LibraryVersion();
std::string LibraryRuntime();

}  // namespace attest::onednn

#endif  // ATTEST_BACKENDS_ONEDNN_PRIMITIVES_H_
