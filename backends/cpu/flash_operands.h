// SPDX-License-Identifier: Apache-2.0
//
// How a task of cpu:flash brings its queries and a panel of keys and values in front of the
// register tile, and runs it: in f32, or as they are, in bf16, for dot products or AMX. One object
// for each thread; it holds parts of the thread's scratch.
#ifndef ATTEST_BACKENDS_CPU_FLASH_OPERANDS_H_
#define ATTEST_BACKENDS_CPU_FLASH_OPERANDS_H_

#include <cstdint>
#include <vector>

#include "amx_tile.h"
#include "attest/sdpa.hpp"
#include "bfloat_products.h"
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
  static constexpr const char* kName = NameOf(BfloatProducts::kMultiplyAdds);
  static constexpr int kTileRows = kRows;
  static constexpr int kStateRows = kRows;  // rows that share a state
  static constexpr int kLeastRows = 48;     // below, packing costs more than idle threads

  FloatOperands(const attest_problem& problem, Tensors tensors, int64_t rows, Layout& layout);

  void LoadQueries(const attest_tensor& q, HeadRows rows);
  void LoadPanel(const attest_tensor& k, const attest_tensor& v, HeadRows rows,
                 const Factors& factors, Tile& tile);
  // Points the tile at queries from `row` of those loaded on, and at scratch.
  void SetQueries(int64_t row, Tile& tile) {
    tile.q = q_.data + row * q_.stride;
    tile.q_stride = q_.stride;
    tile.p = next_p_;
  }
  void Compute(const Tile& tile);
  void Finish();

 private:
  const size_t group_;         // tiles whose scores are computed before their outputs
  std::vector<Tile> waiting_;  // for their outputs
  int value_columns_;          // that are computed
  float *panel_, *q_copy_, *k_copy_, *v_copy_;  // copies: nullptr where not needed
  float *p_, *next_p_;                          // of each tile of a group, of the next one
  RowKeys<kTileRows> keys_;
  Rows q_{};
};

class DotOperands {
 public:
  using Kernel = DotTile;
  static constexpr const char* kName = NameOf(BfloatProducts::kDots);
  static constexpr int kTileRows = kRows;
  static constexpr int kStateRows = kRows;
  static constexpr int kLeastRows = 48;

  DotOperands(const attest_problem& problem, Tensors tensors, int64_t rows, Layout& layout);

  void LoadQueries(const attest_tensor& q, HeadRows rows);
  void LoadPanel(const attest_tensor& k, const attest_tensor& v, HeadRows rows,
                 const Factors& factors, DotTile& tile);
  void SetQueries(int64_t row, DotTile& tile) {
    tile.q_pairs = q_.data + row * q_.stride;
    tile.q_pairs_stride = q_.stride;
    tile.p = p_;
    tile.p_pairs = p_pairs_;
  }
  void Compute(const DotTile& tile) { ComputeTile(tile); }
  void Finish() {}

 private:
  Pair *key_pairs_, *value_pairs_, *p_pairs_;
  Bfloat16 *q_copy_, *k_copy_, *v_copy_;
  float* p_;
  bool sums_rounded_;
  RowKeys<kTileRows> keys_;
  BfloatRows q_{};
};

// Units of kAmxRows rows; two are under way beside the one that is pushed (amx_tile.h).
class AmxOperands {
 public:
  using Kernel = DotTile;
  static constexpr const char* kName = NameOf(BfloatProducts::kTiles);
  static constexpr int kTileRows = kAmxRows;
  static constexpr int kStateRows = kAmxGroupRows;
  static constexpr int kLeastRows = 2 * kAmxRows;

  AmxOperands(const attest_problem& problem, Tensors tensors, int64_t rows, Layout& layout);

  void LoadQueries(const attest_tensor& q, HeadRows rows);
  void LoadPanel(const attest_tensor& k, const attest_tensor& v, HeadRows rows,
                 const Factors& factors, DotTile& tile);
  void SetQueries(int64_t row, DotTile& tile);
  void Compute(const DotTile& tile);
  void Finish();

 private:
  struct Unit {
    float* p;
    Pair* p_pairs;
    RowKeys<kTileRows> keys;
  };
  Pair* key_pairs_;
  Pair* value_pairs_[kAmxPanels];
  Bfloat16 *q_copy_, *q_tail_, *k_copy_, *v_copy_;
  Unit units_[kAmxUnits];
  int unit_ = 0, panel_ = 0;  // the next ones to use
  BfloatRows q_{}, tail_{};
  int64_t whole_rows_ = 0;  // of q_, in front of those of tail_
  bool sums_rounded_;
  AmxPipeline pipeline_;
};

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_FLASH_OPERANDS_H_
