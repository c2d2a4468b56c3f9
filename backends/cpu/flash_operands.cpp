// SPDX-License-Identifier: Apache-2.0
#include "flash_operands.h"

#include <algorithm>

#include "attest/l1_cache.hpp"

namespace attest::cpu {
namespace {

template <typename Element>
const Element* FirstOf(const attest_tensor& tensor, HeadRows rows) {
  return RowOf<Element>(tensor, rows.b, rows.h, rows.first);
}

// The rows where they lie, or their f32 copy.
Rows AsFloat(const attest_tensor& tensor, HeadRows rows, float* copy) {
  const void* from = AddressOf(tensor, ElementBytes(tensor.dtype), rows.b, rows.h, rows.first);
  if (copy == nullptr) return {static_cast<const float*>(from), tensor.strides[2]};
  LoadRows(from, tensor.dtype, tensor.strides[2], tensor.strides[3], rows.count, tensor.shape[3],
           copy);
  return {copy, PaddedColumns(tensor.shape[3])};
}

constexpr int64_t EvenColumns(int64_t columns) { return RoundUp(columns, 2); }

// The rows where they lie, or their copy, which 0 fills up to `padded` columns.
BfloatRows AsBfloat(const attest_tensor& tensor, HeadRows rows, int64_t padded, Bfloat16* copy) {
  const BfloatRows there{FirstOf<Bfloat16>(tensor, rows), tensor.strides[2]};
  if (copy == nullptr) return there;
  CopyRows(there, tensor.strides[3], rows.count, tensor.shape[3], padded, copy);
  return {copy, padded};
}

// Whether rows can be read where they lie: contiguous, with whole units of elements.
bool IsWhole(const attest_tensor& tensor, int64_t unit) {
  return tensor.strides[3] == 1 && tensor.shape[3] % unit == 0;
}

// How many tiles a panel's keys serve before its values do; P waits in the L2 cache. On a Xeon (L1
// 48 KiB) head sizes 80 to 128 took 1 to 4 % less time with 32 than with 1, up to 7 % less while
// others used the cores; 8 gained half of that, 96 no more; d = 64 lost 0.5 %.
int64_t TilesOfGroup(const attest_problem& problem) {
  return PanelsShareL1(kPanelKeys, problem.head_size, problem.v_head_size) ? 1 : 32;
}

struct PairPanel {
  Bfloat16 *k_copy, *v_copy;  // nullptr where not needed
  Pair *keys, *values;
};

void PackPairs(const attest_tensor& k, const attest_tensor& v, HeadRows rows, PairPanel panel,
               DotTile& tile) {
  const int count = static_cast<int>(rows.count);
  tile.value_width = PaddedColumns(tile.value_size);
  PackKeyPairs(AsBfloat(k, rows, EvenColumns(tile.depth), panel.k_copy), count, tile.depth,
               panel.keys);
  PackValuePairs(AsBfloat(v, rows, EvenColumns(tile.value_size), panel.v_copy), count,
                 tile.value_size, tile.value_width, panel.values);
  tile.key_pairs = panel.keys;
  tile.value_pairs = panel.values;
}

bool SumsRounded(const attest_problem& problem) {
  return (problem.outputs & ATTEST_OUTPUT_LSE) == 0;
}

}  // namespace

Factors::Factors(const attest_problem& problem)
    : of_columns(ScoreFactors(problem)), one(static_cast<float>(ScoreFactor(problem))) {}

FloatOperands::FloatOperands(const attest_problem& problem, Tensors tensors, int64_t rows,
                             Layout& layout)
    : group_(static_cast<size_t>(TilesOfGroup(problem))),
      value_columns_(static_cast<int>(CopiesParts(problem) ? PaddedColumns(problem.v_head_size)
                                                           : problem.v_head_size)),
      panel_(layout.Take<float>(
          std::max(kPanelKeys * problem.head_size, kFewKeys * PaddedColumns(problem.head_size)))),
      p_(layout.Take<float>(static_cast<int64_t>(group_) * kRows * kPanelKeys)),
      next_p_(p_) {
  waiting_.reserve(group_);
  const auto copy = [&](int32_t role, bool scalar, int64_t count) {
    const attest_tensor& tensor = GetTensor(tensors, role);
    return InPlace(problem, tensor, scalar)
               ? nullptr
               : layout.Take<float>(count * PaddedColumns(tensor.shape[3]));
  };
  q_copy_ = copy(ATTEST_ROLE_Q, true, rows);
  k_copy_ = copy(ATTEST_ROLE_K, true, kPanelKeys);
  v_copy_ = copy(ATTEST_ROLE_V, false, kPanelKeys);
}

void FloatOperands::LoadQueries(const attest_tensor& q, HeadRows rows) {
  q_ = AsFloat(q, rows, q_copy_);
}

void FloatOperands::LoadPanel(const attest_tensor& k, const attest_tensor& v, HeadRows rows,
                              const Factors& factors, Tile& tile) {
  Finish();  // the tiles that wait for the values of the panel before
  tile.few = rows.count <= kFewKeys;
  const auto pack = tile.few ? &CopyKeys : &PackKeys;
  pack(AsFloat(k, rows, k_copy_), static_cast<int>(rows.count), tile.depth,
       factors.of_columns.data(), panel_);
  const Rows values = AsFloat(v, rows, v_copy_);
  tile.keys = panel_;
  tile.values = values.data;
  tile.value_stride = values.stride;
  tile.value_size = value_columns_;
  keys_.SetFor(tile);
}

void FloatOperands::Compute(const Tile& tile) {
  if (group_ == 1) return ComputeTile(tile);
  ComputeScores(tile);
  waiting_.push_back(tile);
  next_p_ += kRows * kPanelKeys;
  if (waiting_.size() == group_) Finish();
}

void FloatOperands::Finish() {
  for (const Tile& tile : waiting_) ComputeOutput(tile);
  waiting_.clear();
  next_p_ = p_;
}

DotOperands::DotOperands(const attest_problem& problem, Tensors tensors, int64_t rows,
                         Layout& layout)
    : key_pairs_(layout.Take<Pair>(kPanelKeys * EvenColumns(problem.head_size) / 2)),
      value_pairs_(layout.Take<Pair>(kPanelKeys / 2 * PaddedColumns(problem.v_head_size))),
      p_pairs_(layout.Take<Pair>(kRows * kPanelKeys / 2)),
      p_(layout.Take<float>(kRows * kPanelKeys)),
      sums_rounded_(SumsRounded(problem)) {
  const auto copy = [&](int32_t role, int64_t unit, int64_t count) {
    const attest_tensor& tensor = GetTensor(tensors, role);
    return IsWhole(tensor, unit) ? nullptr
                                 : layout.Take<Bfloat16>(count * EvenColumns(tensor.shape[3]));
  };
  q_copy_ = copy(ATTEST_ROLE_Q, 2, rows);
  k_copy_ = copy(ATTEST_ROLE_K, 1, kPanelKeys);
  v_copy_ = copy(ATTEST_ROLE_V, 1, kPanelKeys);
}

void DotOperands::LoadQueries(const attest_tensor& q, HeadRows rows) {
  q_ = AsBfloat(q, rows, EvenColumns(q.shape[3]), q_copy_);
}

void DotOperands::LoadPanel(const attest_tensor& k, const attest_tensor& v, HeadRows rows,
                            const Factors& factors, DotTile& tile) {
  PackPairs(k, v, rows, {k_copy_, v_copy_, key_pairs_, value_pairs_}, tile);
  tile.factor = factors.one;
  tile.sums_rounded = sums_rounded_;
  keys_.SetFor(tile);
}

AmxOperands::AmxOperands(const attest_problem& problem, Tensors tensors, int64_t rows,
                         Layout& layout)
    : key_pairs_(layout.Take<Pair>(kPanelKeys * RoundUp(problem.head_size, kAmxDepth) / 2)),
      sums_rounded_(SumsRounded(problem)) {
  const int64_t depth = RoundUp(problem.head_size, kAmxDepth);
  for (Pair*& panel : value_pairs_)
    panel = layout.Take<Pair>(kPanelKeys / 2 * PaddedColumns(problem.v_head_size));
  for (Unit& unit : units_) {
    unit.p = layout.Take<float>(kAmxRows * kPanelKeys);
    unit.p_pairs = layout.Take<Pair>(kAmxRows * kPanelKeys / 2);
  }
  const auto copy = [&](int32_t role, int64_t unit, int64_t elements) {
    const attest_tensor& tensor = GetTensor(tensors, role);
    return IsWhole(tensor, unit) ? nullptr : layout.Take<Bfloat16>(elements);
  };
  q_copy_ = copy(ATTEST_ROLE_Q, kAmxDepth, rows * depth);
  q_tail_ = layout.Take<Bfloat16>(kAmxRows * depth);
  k_copy_ = copy(ATTEST_ROLE_K, 1, kPanelKeys * EvenColumns(problem.head_size));
  v_copy_ = copy(ATTEST_ROLE_V, 1, kPanelKeys * EvenColumns(problem.v_head_size));
}

void AmxOperands::LoadQueries(const attest_tensor& q, HeadRows rows) {
  StartTiles();
  const int64_t depth = RoundUp(q.shape[3], kAmxDepth);
  whole_rows_ = rows.count / kAmxRows * kAmxRows;
  q_ = AsBfloat(q, {rows.b, rows.h, rows.first, whole_rows_}, depth, q_copy_);
  if (whole_rows_ == rows.count) return;
  const HeadRows tail{rows.b, rows.h, rows.first + whole_rows_, rows.count - whole_rows_};
  tail_ = AsBfloat(q, tail, depth, q_tail_);
  std::fill(q_tail_ + tail.count * depth, q_tail_ + kAmxRows * depth, Bfloat16{0});
}

void AmxOperands::LoadPanel(const attest_tensor& k, const attest_tensor& v, HeadRows rows,
                            const Factors& factors, DotTile& tile) {
  Pair* values = value_pairs_[panel_];
  panel_ = (panel_ + 1) % kAmxPanels;
  PackPairs(k, v, rows, {k_copy_, v_copy_, key_pairs_, values}, tile);
  const int64_t pairs = (rows.count + 1) / 2;
  std::fill(values + pairs * tile.value_width,
            values + RoundUp(pairs, kAmxDepth / 2) * tile.value_width, Pair{0});
  tile.factor = factors.one;
  tile.sums_rounded = sums_rounded_;
}

void AmxOperands::SetQueries(int64_t row, DotTile& tile) {
  const bool whole = row < whole_rows_;
  tile.q_pairs = whole ? q_.data + row * q_.stride : tail_.data;
  tile.q_pairs_stride = whole ? q_.stride : tail_.stride;
  Unit& unit = units_[unit_];
  unit_ = (unit_ + 1) % kAmxUnits;
  tile.p = unit.p;
  tile.p_pairs = unit.p_pairs;
  unit.keys.SetFor(tile);
}

// Rows that fill up the last group see what the last row sees.
void AmxOperands::Compute(const DotTile& tile) {
  if (tile.masked)
    for (int row = tile.rows; row % kAmxGroupRows != 0; ++row) {
      tile.begin[row] = tile.begin[tile.rows - 1];
      tile.end[row] = tile.end[tile.rows - 1];
    }
  pipeline_.Push(tile);
}

void AmxOperands::Finish() {
  pipeline_.Drain();
  StopTiles();
}

}  // namespace attest::cpu
