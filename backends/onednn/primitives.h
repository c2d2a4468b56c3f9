// SPDX-License-Identifier: Apache-2.0
//
// The three oneDNN primitives of unfused attention on one block of query rows: scores = scale Q
// K^T, weights = softmax(scores), out = weights V. Works with oneDNN 2.6 and 3.x; primitives.cpp is
// the only file where they differ.
#ifndef ATTEST_BACKENDS_ONEDNN_PRIMITIVES_H_
#define ATTEST_BACKENDS_ONEDNN_PRIMITIVES_H_

#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

#include "attest/backend.hpp"

namespace attest::onednn {

// Query rows and keys of a block.
struct BlockShape {
  int64_t rows;
  int64_t keys;
  friend bool operator==(const BlockShape&, const BlockShape&) = default;
};

// Layouts of the operands of one block shape; strides are those of the problem's tensors.
struct BlockLayout {
  BlockLayout(const Request& request, BlockShape shape);

  dnnl::memory::desc q;        // [rows, head_size], io type
  dnnl::memory::desc k;        // [head_size, keys], io type: K transposed by its strides
  dnnl::memory::desc v;        // [keys, v_head_size], io type
  dnnl::memory::desc scores;   // [rows, keys], f32
  dnnl::memory::desc weights;  // [rows, keys], io type
  dnnl::memory::desc out;      // [rows, v_head_size], io type
};

// What oneDNN chose for one block shape; cheap to make, nothing is compiled yet.
class BlockChoice {
 public:
  // Throws dnnl::error where oneDNN has no implementation at all.
  BlockChoice(const Request& request, BlockShape shape, const dnnl::engine& engine);

  // oneDNN's own names: "brg:avx512_core", "jit:avx512_core", "ref:any", ...
  std::vector<std::string> matmul_names() const;
  std::string softmax_name() const;
  // Bytes of the scratchpad that any of the three needs.
  uint64_t scratchpad_bytes() const;

  const BlockShape shape;
  const BlockLayout layout;

 private:
  friend class BlockPrimitives;
#if DNNL_VERSION_MAJOR >= 3
  using Softmax = dnnl::softmax_forward;
#else
  using Softmax = dnnl::softmax_v2_forward;
#endif
  dnnl::matmul::primitive_desc scores_;
  Softmax::primitive_desc softmax_;
  dnnl::matmul::primitive_desc out_;
};

// Addresses of one block's operands.
struct BlockData {
  const void* q;
  const void* k;
  const void* v;
  float* scores;
  void* weights;
  void* out;
  void* scratchpad;
};

// The compiled primitives of one block shape with one thread's memory objects, so that running
// creates nothing. Not to be used by two threads at once.
class BlockPrimitives {
 public:
  BlockPrimitives(const BlockChoice& choice, const dnnl::engine& engine);

  void Bind(const BlockData& data);
  void RunScores(const dnnl::stream& stream) const;
  void RunSoftmaxAndOut(const dnnl::stream& stream) const;

 private:
  dnnl::matmul scores_;
  BlockChoice::Softmax softmax_;
  dnnl::matmul out_;
  dnnl::memory q_memory_, k_memory_, v_memory_, scores_memory_, weights_memory_, out_memory_;
  dnnl::memory scratchpad_memory_;
};

// The version of the library that is loaded, and its threading runtime.
std::string LibraryVersion();
std::string LibraryRuntime();

}  // namespace attest::onednn

#endif  // ATTEST_BACKENDS_ONEDNN_PRIMITIVES_H_
