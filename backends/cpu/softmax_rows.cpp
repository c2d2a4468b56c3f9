// SPDX-License-Identifier: Apache-2.0
#include "softmax_rows.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "attest/half.hpp"
#include "attest/prefetch.hpp"

namespace attest::cpu {
namespace {

constexpr float kLog2E = static_cast<float>(std::numbers::log2e);

void Scale(float* row, int count, float factor) {
  const Vec factors = hn::Set(kTag, factor);
  int j = 0;
  for (; j + kLanes <= count; j += kLanes)
    hn::StoreU(hn::Mul(hn::LoadU(kTag, row + j), factors), kTag, row + j);
  for (; j < count; ++j) row[j] *= factor;
}

Vec LaneMax(const float* row, int count) {
  Vec max = hn::Load(kTag, row);
  for (int j = kLanes; j < count; j += kLanes) max = hn::Max(max, hn::Load(kTag, row + j));
  return max;
}

// A row has met a visible key as soon as its sum is not 0: P of the largest score never underflows.
bool IsSettled(const Tile& tile, int row) {
  return Sum(hn::Load(kTag, tile.sums + row * kLanes)) > 0;
}

// What a row has summed up so far, times 2^-rise, a whole number: rounds nothing.
void Lower(const Tile& tile, int row, int columns, float rise) {
  const float factor = hn::GetLane(Exp2(DropSmall(hn::Set(kTag, -rise))));
  Scale(tile.sums + row * kLanes, kLanes, factor);
  Scale(tile.p + row * kPanelKeys, columns, factor);
  if (!tile.first) Scale(tile.out + row * tile.out_stride, tile.value_size, factor);
}

// The bias of the panel's keys for one row, in units of log2.
template <typename Element, typename Bias>
void ReadMask(const Tile& tile, int row, int count, Bias bias, float* out) {
  const int64_t step = tile.rules->mask_key_stride;
  const auto* from = static_cast<const Element*>(tile.mask[row]);
  if (tile.stream_keys > 0)
    for (unsigned j = 0; j < static_cast<unsigned>(count); ++j)
      out[j] = bias(from[(j % kReadStreams * tile.stream_keys + j / kReadStreams) * step]);
  else if (step == 1)
    for (int j = 0; j < count; ++j) out[j] = bias(from[j]);
  else
    for (int j = 0; j < count; ++j) out[j] = bias(from[j * step]);
}

void ReadBias(const Tile& tile, int row, int count, float* out) {
  const auto additive = [](auto value) { return Widen(value) * kLog2E; };
  switch (tile.rules->mask_dtype) {
    case ATTEST_BOOL:
      return ReadMask<uint8_t>(
          tile, row, count, [](uint8_t seen) { return seen != 0 ? 0.0f : kMinusInfinity; }, out);
    case ATTEST_F32:
      return ReadMask<float>(tile, row, count, additive, out);
    case ATTEST_F16:
      return ReadMask<Half>(tile, row, count, additive, out);
    default:
      return ReadMask<Bfloat16>(tile, row, count, additive, out);
  }
}

// softcap x tanh(x / softcap) from e^(2 x / softcap), absolute error within 3 units of softcap.
Vec Softcap(Vec score, float softcap) {
  const Vec one = hn::Set(kTag, 1.0f), limit = hn::Set(kTag, 60.0f);
  const Vec e = Exp2(hn::Min(hn::Max(score, hn::Neg(limit)), limit));
  const Vec tanh = hn::Sub(one, hn::Div(hn::Set(kTag, 2.0f), hn::Add(e, one)));
  return hn::Mul(tanh, hn::Set(kTag, softcap * kLog2E));
}

// Softcap, bias and hidden keys: the final scores of a row of tile.p.
void ApplyRules(const Tile& tile, int row, int count) {
  float* scores = tile.p + row * kPanelKeys;
  const float softcap = tile.rules->softcap;
  if (softcap > 0)
    for (int j = 0; j < count; j += kLanes)
      hn::Store(Softcap(hn::Load(kTag, scores + j), softcap), kTag, scores + j);
  if (tile.rules->mask != ATTEST_MASK_NONE) {
    HWY_ALIGN float bias[kPanelKeys];
    ReadBias(tile, row, tile.key_count, bias);
    for (int j = 0; j < tile.key_count; ++j) scores[j] += bias[j];
  }
  for (int j = 0; j < std::min(tile.begin[row], count); ++j) scores[j] = kMinusInfinity;
  for (int j = std::max(tile.end[row], 0); j < count; ++j) scores[j] = kMinusInfinity;
}

bool HasRules(const Tile& tile, int count) {
  if (tile.rules->softcap > 0 || tile.rules->mask != ATTEST_MASK_NONE) return true;
  return std::any_of(tile.begin, tile.begin + tile.rows, [](int begin) { return begin > 0; }) ||
         std::any_of(tile.end, tile.end + tile.rows, [=](int end) { return end < count; });
}

// Whether the scores of a whole panel are final and near their row's shift.
bool NeedsOnlyExp(const Tile& tile) {
  if ((*tile.state & kUnsettled) != 0 || HasRules(tile, kPanelKeys)) return false;
  Vec highest = hn::Set(kTag, kMinusInfinity);
  for (int row = 0; row < tile.rows; ++row)
    highest = hn::Max(highest, hn::Add(LaneMax(tile.p + row * kPanelKeys, kPanelKeys),
                                       hn::Set(kTag, tile.shifts[row])));
  return hn::AllTrue(kTag, hn::Le(highest, hn::Set(kTag, kHighest)));
}

// Scores of a whole panel become P in one pass.
void WeighPanel(const Tile& tile) {
  for (int row = 0; row < tile.rows; ++row) {
    float* scores = tile.p + row * kPanelKeys;
    const Vec shift = hn::Set(kTag, tile.shifts[row]);
    Vec sum = hn::Load(kTag, tile.sums + row * kLanes);
#pragma GCC unroll 16
    for (int j = 0; j < kPanelKeys; j += kLanes) {
      const Vec p = Weight(DropSmall(hn::Add(hn::Load(kTag, scores + j), shift)));
      hn::Store(p, kTag, scores + j);
      sum = hn::Add(sum, p);
    }
    hn::Store(sum, kTag, tile.sums + row * kLanes);
  }
}

}  // namespace

void MoveShifts(const Tile& tile, int first_key, int count) {
  const bool all_settled = (*tile.state & kUnsettled) == 0;
  *tile.state &= kShifted;
  for (int row = 0; row < tile.rows; ++row) {
    float* scores = tile.p + row * kPanelKeys + first_key;
    const Vec highest = LaneMax(scores, count);
    if (all_settled && hn::AllTrue(kTag, hn::Le(highest, hn::Set(kTag, kHighest)))) continue;
    const float most = Max(highest);
    const bool settled = all_settled || IsSettled(tile, row);
    if (most == kMinusInfinity && !settled) *tile.state |= kUnsettled;
    if (most == kMinusInfinity || (settled && most <= kHighest)) continue;
    const float rise = std::ceil(most);
    const Vec by = hn::Set(kTag, rise);
    for (int j = 0; j < count; j += kLanes)
      hn::Store(hn::Sub(hn::Load(kTag, scores + j), by), kTag, scores + j);
    tile.shifts[row] -= rise;
    *tile.state |= kShifted;
    if (settled) Lower(tile, row, first_key, rise);
  }
}

void SoftmaxRows(const Tile& tile, int count) {
  if (count == kPanelKeys && NeedsOnlyExp(tile)) return WeighPanel(tile);
  for (int row = 0; row < tile.rows; ++row) {
    float* scores = tile.p + row * kPanelKeys;
    ApplyRules(tile, row, count);
    const Vec shift = hn::Set(kTag, tile.shifts[row]);
    for (int j = 0; j < count; j += kLanes)
      hn::Store(hn::Add(hn::Load(kTag, scores + j), shift), kTag, scores + j);
  }
  MoveShifts(tile, 0, count);
  for (int row = 0; row < tile.rows; ++row) {
    float* scores = tile.p + row * kPanelKeys;
    Vec sum = hn::Load(kTag, tile.sums + row * kLanes);
    for (int j = 0; j < count; j += kLanes) {
      const Vec p = Weight(DropSmall(hn::Load(kTag, scores + j)));
      hn::Store(p, kTag, scores + j);
      sum = hn::Add(sum, p);
    }
    hn::Store(sum, kTag, tile.sums + row * kLanes);
  }
}

}  // namespace attest::cpu
