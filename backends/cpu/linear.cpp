// SPDX-License-Identifier: Apache-2.0
//
// A panel of 64 rows of W is packed as keys are, 128 words (numbers, or pairs) of its sum at a
// time, and used by up to 512 rows of x; sums pass through scratch once for each such chunk: in the
// output, whose rows lie far apart, a layer took 1 to 4 % longer on a Zen 4.
// BERT-base at L = 512 in f32 (hidden 768, biases, output map), two threads of a Zen 5, of the FMA
// rate measured in the run: flash 78 to 79 %. Asking for the next chunk while one is used brought
// 4 to 7 % at L = 128, 512 rows instead of 384 1 to 3 % at L = 512.
#include "linear.h"

#include <algorithm>

#include "attest/convert_row.hpp"
#include "dot_pack.h"
#include "pack.h"

namespace attest::cpu {

// Asks for what is packed next, `depth` elements of every row of W: some rows with each tile, so
// that loads spread over the time.
template <typename Operand, BfloatProducts kProducts>
class LinearProduct<Operand, kProducts>::Ahead {
 public:
  Ahead(const linear::Step& step, const Operand* w, int64_t depth)
      : w_(w),
        stride_(step.w_stride),
        depth_(depth),
        left_(step.columns),
        share_((step.columns * kTileRows + step.rows - 1) / step.rows) {}

  void Ask() {
    constexpr int64_t kLine = 64 / sizeof(Operand);
    asm volatile("");  // GCC leaves out calls of functions that do nothing but prefetch
    for (const int64_t end = left_ - std::min(share_, left_); left_ > end; --left_, w_ += stride_)
      for (int64_t c = 0; c < depth_; c += kLine) __builtin_prefetch(w_ + c, 0, 2);
  }

 private:
  const Operand* w_;
  int64_t stride_, depth_, left_, share_;
};

template <typename Operand, BfloatProducts kProducts>
LinearProduct<Operand, kProducts>::LinearProduct()
    : panel_(kPanelKeys * kWords),
      sums_(kTile.rows * kPanelKeys),
      rows_(kPairs ? kTileRows * kDepth : 0),
      ones_(kPairs ? 0 : kDepth, 1.0f) {}

template <typename Operand, BfloatProducts kProducts>
uint64_t LinearProduct<Operand, kProducts>::Bytes() {
  return sizeof(float) *
         (kPanelKeys * kWords + kTile.rows * kPanelKeys + (kPairs ? kTileRows * kWords : kDepth));
}

template <typename Operand, BfloatProducts kProducts>
void LinearProduct<Operand, kProducts>::Pack(const linear::Step& step, const Operand* w,
                                             int depth) {
  const int columns = static_cast<int>(step.columns);
  if constexpr (kPairs) {
    PackKeyPairs({w, step.w_stride}, columns, depth, panel_.data());
    const int pairs = (depth + 1) / 2;
    if constexpr (kTiles)
      std::fill(panel_.data() + pairs * kPanelKeys, panel_.data() + WordsOf(depth) * kPanelKeys,
                Pair{0});
  } else {
    PackKeys({w, step.w_stride}, columns, depth, ones_.data(), panel_.data());
  }
}

template <typename Operand, BfloatProducts kProducts>
void LinearProduct<Operand, kProducts>::AddRows(const linear::Step& step, const Operand* x,
                                                int depth, Ahead ahead) {
  const int words = WordsOf(depth);
  const int columns = static_cast<int>(step.columns);
  for (int64_t row = 0; row < step.rows; row += kTileRows) {
    const int rows = static_cast<int>(std::min<int64_t>(kTileRows, step.rows - row));
    LinearTile<Operand> tile{x + row * step.x_stride,         step.x_stride, panel_.data(), words,
                             sums_.data() + row * kPanelKeys, kPanelKeys,    rows,          0};
    ahead.Ask();
    if constexpr (kPairs)
      if (depth % kUnit != 0 || (kTiles && rows < kTileRows)) {
        CopyRows({tile.x, tile.x_stride}, 1, rows, depth, kDepth, rows_.data());
        tile.x = rows_.data();
        tile.x_stride = kDepth;
      }
    for (int column = 0; column < columns; column += kGroupKeys) {
      tile.vectors = (std::min(kGroupKeys, columns - column) + kLanes - 1) / kLanes;
      if constexpr (kTiles)
        AddAmxTile(tile);
      else
        AddTile(tile);
      tile.packed += words * kGroupKeys;
      tile.sums += kGroupKeys;
    }
  }
}

template <typename Operand, BfloatProducts kProducts>
void LinearProduct<Operand, kProducts>::Multiply(const linear::Step& step, const Operand* x,
                                                 const Operand* w, const Operand* bias,
                                                 Operand* y) {
  const int columns = static_cast<int>(step.columns);
  for (int64_t row = 0; row < step.rows; ++row) {
    float* sums = sums_.data() + row * kPanelKeys;
    if (bias == nullptr)
      std::fill_n(sums, columns, 0.0f);
    else
      WidenRow(bias, 1, columns, sums);
  }
  if constexpr (kTiles) StartTiles();
  for (int64_t first = 0; first < step.in; first += kDepth) {
    const int depth = static_cast<int>(std::min<int64_t>(kDepth, step.in - first));
    Pack(step, w + first, depth);
    const Ahead ahead(step, w + first + depth, std::min<int64_t>(kDepth, step.in - first - depth));
    AddRows(step, x + first, depth, ahead);
  }
  if constexpr (kTiles) StopTiles();
  for (int64_t row = 0; row < step.rows; ++row)
    NarrowRow(sums_.data() + row * kPanelKeys, 1.0f, columns, y + row * step.y_stride, 1);
}

template class LinearProduct<float, BfloatProducts::kMultiplyAdds>;
template class LinearProduct<Bfloat16, BfloatProducts::kDots>;
template class LinearProduct<Bfloat16, BfloatProducts::kTiles>;

}  // namespace attest::cpu
