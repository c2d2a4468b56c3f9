// SPDX-License-Identifier: Apache-2.0
//
// Rows of io tensors on their way into the tiles and back: f32 copies of rows that cannot be used
// in place, and panels of keys.
//
// A packed panel holds kPanelKeys keys as [group][depth][kGroupKeys]: group g's keys
// [g kGroupKeys, (g + 1) kGroupKeys), transposed. Keys beyond the last are 0 up to the end of the
// last vector that is read.
#ifndef ATTEST_BACKENDS_CPU_PACK_H_
#define ATTEST_BACKENDS_CPU_PACK_H_

#include <cstdint>

#include "attest/abi.h"
#include "simd.h"

namespace attest::cpu {

// Rows of f32 that kernels can read.
struct Rows {
  const float* data;
  int64_t stride;  // in floats
};

constexpr int64_t CeilDivide(int64_t count, int64_t unit) { return (count + unit - 1) / unit; }
constexpr int64_t RoundUp(int64_t count, int64_t unit) { return CeilDivide(count, unit) * unit; }

// Columns of a row in scratch: whole vectors.
constexpr int64_t PaddedColumns(int64_t columns) { return RoundUp(columns, kLanes); }

// Bytes of one element of an io type.
int64_t ElementBytes(int32_t dtype);

// `count` rows of `columns` elements as f32, [count][PaddedColumns(columns)] in `out`, the padding
// 0. `row` is their first element; strides are in elements.
void LoadRows(const void* row, int32_t dtype, int64_t row_stride, int64_t step, int64_t count,
              int64_t columns, float* out);

// The reverse, rounded to the io type; columns of padding are dropped.
void StoreRows(const float* from, int64_t stride, int64_t count, int64_t columns, void* row,
               int32_t dtype, int64_t row_stride, int64_t step);

// Rows of `count` <= kFewKeys keys, element c of each times factors[c], in whole vectors: elements
// and keys (up to kFewKeys) that do not exist are 0.
void CopyKeys(Rows keys, int count, int depth, const float* factors, float* panel);

// Packs `count` <= kPanelKeys keys, element c of each times factors[c].
void PackKeys(Rows keys, int count, int depth, const float* factors, float* panel);

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_PACK_H_
