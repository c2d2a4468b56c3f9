// SPDX-License-Identifier: Apache-2.0
#include "pack.h"

#include <algorithm>

#include "attest/half.hpp"
#include "transpose.h"

namespace attest::cpu {
namespace {

void LoadRow(const float* row, int64_t columns, float* out) { std::copy_n(row, columns, out); }

void LoadRow(const Bfloat16* row, int64_t columns, float* out) {
  for (int64_t c = 0; c < columns; ++c) out[c] = ToFloat(row[c]);
}

void LoadRow(const Half* row, int64_t columns, float* out) {
  const hn::Rebind<hwy::float16_t, FloatTag> halves;
  const auto* from = reinterpret_cast<const hwy::float16_t*>(row);
  int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes)
    hn::StoreU(hn::PromoteTo(kTag, hn::LoadU(halves, from + c)), kTag, out + c);
  for (; c < columns; ++c) out[c] = ToFloat(row[c]);
}

template <typename Io>
void LoadAll(const Io* row, int64_t row_stride, int64_t step, int64_t count, int64_t columns,
             float* out) {
  const int64_t padded = PaddedColumns(columns);
  for (int64_t i = 0; i < count; ++i, row += row_stride, out += padded) {
    if (step == 1)
      LoadRow(row, columns, out);
    else
      for (int64_t c = 0; c < columns; ++c) out[c] = Widen(row[c * step]);
    std::fill(out + columns, out + padded, 0.0f);
  }
}

template <typename Io>
void StoreAll(const float* from, int64_t stride, int64_t count, int64_t columns, Io* row,
              int64_t row_stride, int64_t step) {
  for (int64_t i = 0; i < count; ++i, row += row_stride, from += stride)
    if (step == 1)
      for (int64_t c = 0; c < columns; ++c) Narrow(from[c], &row[c]);
    else
      for (int64_t c = 0; c < columns; ++c) Narrow(from[c], &row[c * step]);
}

#if HWY_TARGET <= HWY_AVX3

// 16 keys x 16 elements, of which `keys` and `columns` exist.
template <bool kWhole>
HWY_INLINE void PackSquare(Rows from, int keys, int columns, const float* factors, float* to) {
  const __mmask16 mask = kWhole ? FirstLanes(kSquare) : FirstLanes(columns);
  const __m512 factor = _mm512_maskz_loadu_ps(mask, factors);
  __m512 rows[kSquare];
#pragma GCC unroll 16
  for (int i = 0; i < kSquare; ++i) {
    const float* row = from.data + i * from.stride;
    rows[i] =
        kWhole ? _mm512_loadu_ps(row) : _mm512_maskz_loadu_ps(i < keys ? mask : __mmask16{0}, row);
    rows[i] = _mm512_mul_ps(rows[i], factor);
  }
  StoreTransposed(rows, kWhole ? kSquare : columns, to, kGroupKeys);
}

// Keys [0, count) of one group, elements [0, depth).
void PackGroup(Rows keys, int count, int depth, const float* factors, float* group) {
  for (int key = 0; key < count; key += kSquare)
    for (int c = 0; c < depth; c += kSquare) {
      const Rows from{keys.data + key * keys.stride + c, keys.stride};
      float* to = group + c * kGroupKeys + key;
      if (count - key >= kSquare && depth - c >= kSquare)
        PackSquare<true>(from, kSquare, kSquare, factors + c, to);
      else
        PackSquare<false>(from, count - key, depth - c, factors + c, to);
    }
}

#else

using SmallTag = hn::CappedTag<float, 4>;

// 4 keys x 4 elements from `from`, transposed and multiplied, to `to`.
HWY_INLINE void Transpose4(const float* from, int64_t stride, const float* factors, float* to) {
#if HWY_TARGET == HWY_SCALAR
  for (int c = 0; c < 4; ++c)
    for (int i = 0; i < 4; ++i) to[c * kGroupKeys + i] = from[i * stride + c] * factors[c];
#else
  const SmallTag tag;
  const auto factor = hn::LoadU(tag, factors);
  const hn::Repartition<uint64_t, SmallTag> wide;
  const auto row = [&](int i)
                       HWY_ATTR { return hn::Mul(hn::LoadU(tag, from + i * stride), factor); };
  const auto store = [&](int c, auto pairs) HWY_ATTR {
    hn::StoreU(hn::BitCast(tag, pairs), tag, to + c * kGroupKeys);
  };
  const auto r0 = row(0), r1 = row(1), r2 = row(2), r3 = row(3);
  const auto low01 = hn::BitCast(wide, hn::InterleaveLower(tag, r0, r1));
  const auto low23 = hn::BitCast(wide, hn::InterleaveLower(tag, r2, r3));
  const auto high01 = hn::BitCast(wide, hn::InterleaveUpper(tag, r0, r1));
  const auto high23 = hn::BitCast(wide, hn::InterleaveUpper(tag, r2, r3));
  store(0, hn::InterleaveLower(wide, low01, low23));
  store(1, hn::InterleaveUpper(wide, low01, low23));
  store(2, hn::InterleaveLower(wide, high01, high23));
  store(3, hn::InterleaveUpper(wide, high01, high23));
#endif
}

// Keys [0, count) of one group, elements [0, depth).
void PackGroup(Rows keys, int count, int depth, const float* factors, float* group) {
  const int whole = depth / 4 * 4;
  int key = 0;
  for (; key + 4 <= count; key += 4)
    for (int c = 0; c < whole; c += 4)
      Transpose4(keys.data + key * keys.stride + c, keys.stride, factors + c,
                 group + c * kGroupKeys + key);
  for (; key < count; ++key)
    for (int c = 0; c < whole; ++c)
      group[c * kGroupKeys + key] = keys.data[key * keys.stride + c] * factors[c];
  for (int c = whole; c < depth; ++c)
    for (int i = 0; i < count; ++i)
      group[c * kGroupKeys + i] = keys.data[i * keys.stride + c] * factors[c];
  const int end = (count + kLanes - 1) / kLanes * kLanes;
  for (int c = 0; c < depth; ++c)
    std::fill(group + c * kGroupKeys + count, group + c * kGroupKeys + end, 0.0f);
}

#endif

}  // namespace

int64_t ElementBytes(int32_t dtype) { return dtype == ATTEST_F32 ? 4 : 2; }

void LoadRows(const void* row, int32_t dtype, int64_t row_stride, int64_t step, int64_t count,
              int64_t columns, float* out) {
  if (dtype == ATTEST_F32)
    LoadAll(static_cast<const float*>(row), row_stride, step, count, columns, out);
  else if (dtype == ATTEST_F16)
    LoadAll(static_cast<const Half*>(row), row_stride, step, count, columns, out);
  else
    LoadAll(static_cast<const Bfloat16*>(row), row_stride, step, count, columns, out);
}

void StoreRows(const float* from, int64_t stride, int64_t count, int64_t columns, void* row,
               int32_t dtype, int64_t row_stride, int64_t step) {
  if (dtype == ATTEST_F32)
    StoreAll(from, stride, count, columns, static_cast<float*>(row), row_stride, step);
  else if (dtype == ATTEST_F16)
    StoreAll(from, stride, count, columns, static_cast<Half*>(row), row_stride, step);
  else
    StoreAll(from, stride, count, columns, static_cast<Bfloat16*>(row), row_stride, step);
}

void CopyKeys(Rows keys, int count, int depth, const float* factors, float* panel) {
  const int64_t padded = PaddedColumns(depth);
  std::fill_n(panel, kFewKeys * padded, 0.0f);
  for (int key = 0; key < count; ++key)
    for (int c = 0; c < depth; ++c)
      panel[key * padded + c] = keys.data[key * keys.stride + c] * factors[c];
}

void PackKeys(Rows keys, int count, int depth, const float* factors, float* panel) {
  for (int first = 0; first < count; first += kGroupKeys) {
    PackGroup({keys.data + first * keys.stride, keys.stride}, std::min(count - first, kGroupKeys),
              depth, factors, panel);
    panel += static_cast<int64_t>(kGroupKeys) * depth;
  }
}

}  // namespace attest::cpu
