// SPDX-License-Identifier: Apache-2.0
//
// How a task of cpu:flash brings its queries and a panel of keys and values in front of the
// register tile: in f32, or as they are, in bf16, for dot products. One object for each thread; it
// holds parts of the thread's scratch.
#ifndef ATTEST_BACKENDS_CPU_FLASH_OPERANDS_H_
#define ATTEST_BACKENDS_CPU_FLASH_OPERANDS_H_

#include <cstdint>
#include <vector>

#include "attest/sdpa.hpp"
#include "dot_pack.h"
#include "dot_tile.h"
#include "pack.h"
#include "shape.h"
#include "tile.h"

namespace attest::cpu {

// What is fixed for a problem.
struct Factors {
  explicit Factors(const attest_problem& problem);
  std::vector<float> of_columns;  // shape.h
  float one;                      // the nearest f32
};

// `count` rows of one head from row `first` on.
struct HeadRows {
  int64_t b, h, first, count;
};

class FloatOperands {
 public:
  using Kernel = Tile;
  static constexpr const char* kName = "";

  FloatOperands(const attest_problem& problem, Tensors tensors, int64_t rows, Layout& layout);

  void LoadQueries(const attest_tensor& q, HeadRows rows);
  void LoadPanel(const attest_tensor& k, const attest_tensor& v, HeadRows rows,
                 const Factors& factors, Tile& tile);
  // Points the tile at queries from `row` of those loaded on.
  void SetQueries(int64_t row, Tile& tile) const {
    tile.q = q_.data + row * q_.stride;
    tile.q_stride = q_.stride;
  }

 private:
  float *panel_, *q_copy_, *k_copy_, *v_copy_;  // copies: nullptr where not needed
  Rows q_{};
};

class DotOperands {
 public:
  using Kernel = DotTile;
  static constexpr const char* kName = ", dot products of bf16";

  DotOperands(const attest_problem& problem, Tensors tensors, int64_t rows, Layout& layout);

  void LoadQueries(const attest_tensor& q, HeadRows rows);
  void LoadPanel(const attest_tensor& k, const attest_tensor& v, HeadRows rows,
                 const Factors& factors, DotTile& tile);
  void SetQueries(int64_t row, DotTile& tile) const {
    tile.q_pairs = q_.data + row * q_.stride;
    tile.q_pairs_stride = q_.stride;
  }

 private:
  Pair *keys_, *values_, *p_;
  Bfloat16 *q_copy_, *k_copy_, *v_copy_;
  BfloatRows q_{};
};

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_FLASH_OPERANDS_H_
