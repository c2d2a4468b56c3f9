// SPDX-License-Identifier: Apache-2.0
#include "amx_tile.h"

#include <algorithm>

#include "amx_blocks.h"
#include "pair_softmax.h"

namespace attest::cpu {

#if HWY_TARGET <= HWY_AVX3

namespace {

static_assert(kAmxRows % kAmxGroupRows == 0);

constexpr int Steps(int depth) { return (depth + kAmxDepth - 1) / kAmxDepth; }

constexpr int Blocks(int64_t columns) {
  return static_cast<int>((columns + kBlockColumns - 1) / kBlockColumns);
}

// q k^T for the keys from `key` on.
Block ScoreBlock(const DotTile& unit, int key) {
  return {unit.q_pairs, unit.q_pairs_stride, unit.key_pairs + key, kPanelKeys, Steps(unit.depth),
          unit.p + key, kPanelKeys,          unit.key_count - key, false};
}

// out (+)= P V for the columns from `column` on.
Block OutBlock(const DotTile& unit, int column) {
  return {reinterpret_cast<const Bfloat16*>(unit.p_pairs),
          kPanelKeys,
          unit.value_pairs + column,
          unit.value_width,
          Steps(unit.key_count),
          unit.out + column,
          unit.out_stride,
          unit.value_width - column,
          !unit.first};
}

// The products of two units; first those of `out`, whose P is there.
struct Products {
  const DotTile& out;     // no rows: nothing
  const DotTile* scores;  // or nullptr
  int out_blocks = out.rows > 0 ? Blocks(out.value_width) : 0;
  int blocks = out_blocks + (scores != nullptr ? Blocks(scores->key_count) : 0);
  BlockRunner runner{};

  ATTEST_AMX void Run(int block) {
    runner.Run(block < out_blocks ? OutBlock(out, block * kBlockColumns)
                                  : ScoreBlock(*scores, (block - out_blocks) * kBlockColumns));
  }
};

template <int C, bool kMasked>
ATTEST_DOT_INLINE void AddGroup(const DotTile& group) {
  Vec scores[kAmxGroupRows][C];
#pragma GCC unroll 4
  for (int i = 0; i < kAmxGroupRows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j)
      scores[i][j] = hn::Load(kTag, group.p + i * kPanelKeys + j * kLanes);
  if constexpr (C == kVectors)
    if (group.rules != nullptr) return AddRuledPairs<kAmxGroupRows>(group, scores);
  AddPairs<kAmxGroupRows, C, kMasked>(group, scores);
}

template <int C>
ATTEST_DOT_INLINE void AddMaskedGroup(const DotTile& group, int vectors) {
  if constexpr (C > 1)
    if (vectors < C) return AddMaskedGroup<C - 1>(group, vectors);
  AddGroup<C, true>(group);
}

// P of some rows of a unit; afterwards `group` is the next ones.
ATTEST_DOT void Softmax(DotTile& group) {
  if (group.masked && group.rules == nullptr)
    AddMaskedGroup<kVectors>(group, (group.key_count + kLanes - 1) / kLanes);
  else
    AddGroup<kVectors, false>(group);
  group.p += kAmxGroupRows * kPanelKeys;
  group.p_pairs += kAmxGroupRows * kPanelKeys / 2;
  group.sums += kAmxGroupRows * kLanes;
  group.shifts += kAmxGroupRows;
  group.out += kAmxGroupRows;
  group.begin += kAmxGroupRows;
  group.end += kAmxGroupRows;
  group.mask += kAmxGroupRows;
  ++group.state;
}

void ScaleRow(const DotTile& unit, int row, float factor) {
  const Vec factors = hn::Set(kTag, factor);
  float* out = unit.out + row * unit.out_stride;
  for (int64_t c = 0; c < unit.value_width; c += kLanes)
    hn::Store(hn::Mul(hn::Load(kTag, out + c), factors), kTag, out + c);
}

// What softmax asked for, before P of the same keys is added.
void Rescale(const DotTile& unit, const float* factors) {
  if (unit.rows == 0 || unit.first) return;
  const Vec all = hn::LoadU(kTag, factors);
  if (HWY_LIKELY(hn::AllTrue(kTag, hn::Eq(all, hn::Set(kTag, 1.0f))))) return;
  for (int row = 0; row < unit.rows; ++row) ScaleRow(unit, row, factors[row]);
}

void Divide(const DotTile& unit) {
  for (int row = 0; row < unit.rows; ++row) {
    const float sum = Sum(hn::Load(kTag, unit.sums + row * kLanes));
    ScaleRow(unit, row, sum > 0 ? 1 / sum : sum);  // NaN stays
  }
}

}  // namespace

void AmxPipeline::Push(const DotTile& unit) { Advance(&unit); }

void AmxPipeline::Drain() {
  while (units_[0].tile.rows > 0 || units_[1].tile.rows > 0) Advance(nullptr);
}

// A part of the products stands before each group's softmax, near enough for the CPU to run both at
// once: all products first took 8 to 25 % longer.
ATTEST_AMX void AmxPipeline::Advance(const DotTile* next) {
  Unit& scored = units_[scored_];
  Unit& weighed = units_[1 - scored_];
  Rescale(weighed.tile, weighed.factors);
  Products products{weighed.tile, next};
  const int groups = (scored.tile.rows + kAmxGroupRows - 1) / kAmxGroupRows;
  DotTile group = scored.tile;
  group.out = scored.factors;  // is rescaled in place of the rows, which are still under way
  group.out_stride = group.value_size = 1;
  int block = 0;
  for (int i = 0; i < groups; ++i) {
    for (const int end = (i + 1) * products.blocks / groups; block < end; ++block)
      products.Run(block);
    group.rows = std::min(kAmxGroupRows, scored.tile.rows - i * kAmxGroupRows);
    Softmax(group);
  }
  for (; block < products.blocks; ++block) products.Run(block);
  products.runner.Flush();
  if (weighed.tile.rows > 0 && weighed.tile.last) Divide(weighed.tile);
  scored_ = 1 - scored_;
  weighed.tile = next != nullptr ? *next : DotTile{};
  std::fill_n(weighed.factors, kAmxRows, 1.0f);
}

#else

void AmxPipeline::Push(const DotTile&) {}  // never called
void AmxPipeline::Drain() {}
void AmxPipeline::Advance(const DotTile*) {}

#endif

}  // namespace attest::cpu
