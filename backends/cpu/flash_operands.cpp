// SPDX-License-Identifier: Apache-2.0
#include "flash_operands.h"

#include <algorithm>

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

// Rows of a copy have a whole number of pairs.
constexpr int64_t EvenColumns(int64_t columns) { return (columns + 1) / 2 * 2; }

BfloatRows AsBfloat(const attest_tensor& tensor, HeadRows rows, Bfloat16* copy) {
  const BfloatRows there{FirstOf<Bfloat16>(tensor, rows), tensor.strides[2]};
  if (copy == nullptr) return there;
  const int64_t padded = EvenColumns(tensor.shape[3]);
  CopyRows(there, tensor.strides[3], rows.count, tensor.shape[3], padded, copy);
  return {copy, padded};
}

}  // namespace

Factors::Factors(const attest_problem& problem)
    : of_columns(ScoreFactors(problem)), one(static_cast<float>(ScoreFactor(problem))) {}

FloatOperands::FloatOperands(const attest_problem& problem, Tensors tensors, int64_t rows,
                             Layout& layout)
    : panel_(layout.Take<float>(
          std::max(kPanelKeys * problem.head_size, kFewKeys * PaddedColumns(problem.head_size)))) {
  const auto copy = [&](int32_t role, bool scalar, int64_t count) {
    const attest_tensor& tensor = GetTensor(tensors, role);
    return InPlace(tensor, scalar) ? nullptr
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
  tile.few = rows.count <= kFewKeys;
  const auto pack = tile.few ? &CopyKeys : &PackKeys;
  pack(AsFloat(k, rows, k_copy_), static_cast<int>(rows.count), tile.depth,
       factors.of_columns.data(), panel_);
  const Rows values = AsFloat(v, rows, v_copy_);
  tile.keys = panel_;
  tile.values = values.data;
  tile.value_stride = values.stride;
}

DotOperands::DotOperands(const attest_problem& problem, Tensors tensors, int64_t rows,
                         Layout& layout)
    : keys_(layout.Take<Pair>(kPanelKeys * EvenColumns(problem.head_size) / 2)),
      values_(layout.Take<Pair>(kPanelKeys / 2 * PaddedColumns(problem.v_head_size))),
      p_(layout.Take<Pair>(kRows * kPanelKeys / 2)) {
  const auto copy = [&](int32_t role, bool pairs, int64_t count) {
    const attest_tensor& tensor = GetTensor(tensors, role);
    const bool in_place = tensor.strides[3] == 1 && !(pairs && tensor.shape[3] % 2 != 0);
    return in_place ? nullptr : layout.Take<Bfloat16>(count * EvenColumns(tensor.shape[3]));
  };
  q_copy_ = copy(ATTEST_ROLE_Q, true, rows);
  k_copy_ = copy(ATTEST_ROLE_K, false, kPanelKeys);
  v_copy_ = copy(ATTEST_ROLE_V, false, kPanelKeys);
}

void DotOperands::LoadQueries(const attest_tensor& q, HeadRows rows) {
  q_ = AsBfloat(q, rows, q_copy_);
}

void DotOperands::LoadPanel(const attest_tensor& k, const attest_tensor& v, HeadRows rows,
                            const Factors& factors, DotTile& tile) {
  const int count = static_cast<int>(rows.count);
  tile.value_width = PaddedColumns(tile.value_size);
  PackKeyPairs(AsBfloat(k, rows, k_copy_), count, tile.depth, keys_);
  PackValuePairs(AsBfloat(v, rows, v_copy_), count, tile.value_size, tile.value_width, values_);
  tile.key_pairs = keys_;
  tile.value_pairs = values_;
  tile.p_pairs = p_;
  tile.factor = factors.one;
}

}  // namespace attest::cpu
