// SPDX-License-Identifier: Apache-2.0
#include "amx_tile.h"

#include "amx.h"
#include "pair_softmax.h"

namespace attest::cpu {

#if HWY_TARGET <= HWY_AVX3

namespace {

constexpr int kBlock = 2 * kTileRows;  // rows and columns of the 4 sums that are computed at once
static_assert(kAmxRows == kBlock && kAmxDepth == kTileDepth);
static_assert(kPanelKeys % kBlock == 0 && kAmxRows % kAmxGroupRows == 0);

constexpr int Blocks(int64_t columns) { return static_cast<int>((columns + kBlock - 1) / kBlock); }

// Calls Part::Run<R, C> for the tiles that rows and columns need.
template <typename Part>
ATTEST_AMX_INLINE void RunPart(const DotTile& unit, int first, int64_t columns) {
  const bool wide = columns - first > kTileRows;
  if (unit.rows > kTileRows)
    wide ? Part::template Run<2, 2>(unit, first) : Part::template Run<2, 1>(unit, first);
  else
    wide ? Part::template Run<1, 2>(unit, first) : Part::template Run<1, 1>(unit, first);
}

// q k^T of a block of keys.
struct ScorePart {
  template <int R, int C>
  ATTEST_AMX static void Run(const DotTile& unit, int key) {
    constexpr int64_t kStride = kPanelKeys * sizeof(float);
    ZeroBlock<R, C>();
    for (int c = 0; c < unit.depth; c += kTileDepth)
      AddBlock<R, C>(unit.q_pairs + c, unit.q_pairs_stride * 2,
                     unit.key_pairs + c / 2 * kPanelKeys + key, kStride);
    StoreBlock<R, C>(unit.p + key, kStride);
  }
};

// out (+)= P V of a block of columns.
struct OutPart {
  template <int R, int C>
  ATTEST_AMX static void Run(const DotTile& unit, int column) {
    float* out = unit.out + column;
    const int64_t stride = unit.out_stride * static_cast<int64_t>(sizeof(float));
    if (unit.first)
      ZeroBlock<R, C>();
    else
      LoadBlock<R, C>(out, stride);
    for (int key = 0; key < unit.key_count; key += kTileDepth)
      AddBlock<R, C>(unit.p_pairs + key / 2, kPanelKeys * 2,
                     unit.value_pairs + key / 2 * unit.value_width + column, unit.value_width * 4);
    StoreBlock<R, C>(out, stride);
  }
};

// A unit's products in parts; the first ones are those of `out`.
struct Products {
  const DotTile& out;     // no rows: nothing
  const DotTile* scores;  // or nullptr
  int out_parts = out.rows > 0 ? Blocks(out.value_width) : 0;
  int parts = out_parts + (scores != nullptr ? Blocks(scores->key_count) : 0);

  ATTEST_AMX void Run(int part) const {
    if (part < out_parts)
      RunPart<OutPart>(out, part * kBlock, out.value_width);
    else
      RunPart<ScorePart>(*scores, (part - out_parts) * kBlock, scores->key_count);
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
  group.out += kAmxGroupRows * group.out_stride;
  group.begin += kAmxGroupRows;
  group.end += kAmxGroupRows;
  group.mask += kAmxGroupRows;
  ++group.state;
}

void Divide(const DotTile& unit) {
  for (int row = 0; row < unit.rows; ++row) {
    const float sum = Sum(hn::Load(kTag, unit.sums + row * kLanes));
    const Vec factor = hn::Set(kTag, sum > 0 ? 1 / sum : sum);  // NaN stays
    float* out = unit.out + row * unit.out_stride;
    for (int64_t c = 0; c < unit.value_width; c += kLanes)
      hn::Store(hn::Mul(hn::Load(kTag, out + c), factor), kTag, out + c);
  }
}

}  // namespace

void AmxPipeline::Push(const DotTile& unit) {
  // Softmax may rescale the rows' output, which must not be under way then.
  if ((scored_.rows > 0 && scored_.out == unit.out) ||
      (weighed_.rows > 0 && weighed_.out == unit.out))
    Drain();
  Advance(&unit);
}

void AmxPipeline::Drain() {
  while (scored_.rows > 0 || weighed_.rows > 0) Advance(nullptr);
}

ATTEST_AMX void AmxPipeline::Advance(const DotTile* next) {
  const Products products{weighed_, next};
  const int groups = (scored_.rows + kAmxGroupRows - 1) / kAmxGroupRows;
  DotTile group = scored_;
  int part = 0;
  for (int i = 0; i < groups; ++i) {
    for (const int end = (i + 1) * products.parts / groups; part < end; ++part) products.Run(part);
    group.rows = std::min(kAmxGroupRows, scored_.rows - i * kAmxGroupRows);
    Softmax(group);
  }
  for (; part < products.parts; ++part) products.Run(part);
  if (weighed_.rows > 0 && weighed_.last) Divide(weighed_);
  weighed_ = scored_;
  scored_ = next != nullptr ? *next : DotTile{};
}

ATTEST_AMX void AmxPipeline::Start() { UseTiles(); }
ATTEST_AMX void AmxPipeline::Stop() { ReleaseTiles(); }

#else

void AmxPipeline::Push(const DotTile&) {}  // never called
void AmxPipeline::Drain() {}
void AmxPipeline::Advance(const DotTile*) {}
void AmxPipeline::Start() {}
void AmxPipeline::Stop() {}

#endif

}  // namespace attest::cpu
