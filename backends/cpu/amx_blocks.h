// SPDX-License-Identifier: Apache-2.0
//
// Products on tiles of AMX, a block at a time: 16 rows x up to 32 columns, sums in f32. Tiles load
// and multiply while sums of the block before are stored, which in turn took a third of the time.
// Only inside functions that bear ATTEST_AMX.
#ifndef ATTEST_BACKENDS_CPU_AMX_BLOCKS_H_
#define ATTEST_BACKENDS_CPU_AMX_BLOCKS_H_

#include "amx.h"
#include "attest/half.hpp"
#include "dot_tile.h"

#if HWY_TARGET <= HWY_AVX3

namespace attest::cpu {

inline constexpr int kBlockColumns = 2 * kAmxColumns;

// sums (+)= left x right. Strides are in elements of their operand.
struct Block {
  const Bfloat16* left;  // [16, 32 steps]
  int64_t left_stride;
  const Pair* right;  // [16 steps, columns]
  int64_t right_stride;
  int steps;    // of 32 elements of the sum's dimension
  float* sums;  // [16, columns]
  int64_t sums_stride;
  int64_t columns;  // up to a multiple of 16; those behind kBlockColumns are not computed
  bool adds;        // to what `sums` holds
};

class BlockRunner {
 public:
  // What it stores is there after the next Run, or Flush.
  ATTEST_AMX void Run(const Block& block) {
    const bool wide = block.columns > kAmxColumns;
    if (set_ == 0)
      wide ? Run<0, 2>(block) : Run<0, 1>(block);
    else
      wide ? Run<1, 2>(block) : Run<1, 1>(block);
  }

  ATTEST_AMX void Flush() { set_ == 0 ? StoreAll<1>() : StoreAll<0>(); }

 private:
  template <int kSet, int C>
  ATTEST_AMX_INLINE void Run(const Block& block) {
    constexpr int64_t kBytes = sizeof(Pair);
    const int64_t sums_stride = block.sums_stride * kBytes;
    if (block.adds)
      LoadSums<kSet, C>(block.sums, sums_stride);
    else
      ZeroSums<kSet, C>();
    const Bfloat16* left = block.left;
    const Pair* right = block.right;
    for (int step = 0; step < block.steps; ++step) {
      AddProducts<kSet, C>(left, block.left_stride * static_cast<int64_t>(sizeof(Bfloat16)), right,
                           block.right_stride * kBytes);
      left += kAmxDepth;
      right += kAmxDepth / 2 * block.right_stride;
      StoreOne<1 - kSet>();
    }
    StoreAll<1 - kSet>();
    waiting_ = C;
    to_ = block.sums;
    to_stride_ = sums_stride;
    set_ = 1 - kSet;
  }

  template <int kSet>
  ATTEST_AMX_INLINE void StoreOne() {
    if (waiting_ == 2)
      StoreSum<kSet, 1>(to_, to_stride_);
    else if (waiting_ == 1)
      StoreSum<kSet, 0>(to_, to_stride_);
    else
      return;
    --waiting_;
  }

  template <int kSet>
  ATTEST_AMX_INLINE void StoreAll() {
    while (waiting_ > 0) StoreOne<kSet>();
  }

  int set_ = 0;      // of the next block
  int waiting_ = 0;  // sums of the other set that are to be stored
  float* to_ = nullptr;
  int64_t to_stride_ = 0;  // in bytes
};

}  // namespace attest::cpu

#endif
#endif  // ATTEST_BACKENDS_CPU_AMX_BLOCKS_H_
