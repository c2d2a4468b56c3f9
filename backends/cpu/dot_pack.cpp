// SPDX-License-Identifier: Apache-2.0
#include "dot_pack.h"

#include <algorithm>

namespace attest::cpu {

void CopyRows(BfloatRows rows, int64_t step, int64_t count, int64_t columns, int64_t padded,
              Bfloat16* out) {
  for (int64_t i = 0; i < count; ++i, out += padded) {
    for (int64_t c = 0; c < columns; ++c) out[c] = rows.data[i * rows.stride + c * step];
    std::fill(out + columns, out + padded, Bfloat16{0});
  }
}

#if HWY_TARGET <= HWY_AVX3

namespace {

constexpr int kBlock = 16;  // keys that are transposed at once

// The first `count` of up to 8 elements, 0 behind them; none are read for count <= 0.
HWY_INLINE __m128i LoadSome(const Bfloat16* from, int count) {
  const auto mask = static_cast<__mmask8>((1u << std::clamp(count, 0, 8)) - 1u);
  return _mm_maskz_loadu_epi16(mask, from);
}

// 8 elements (4 pairs) of 16 keys, of which `keys` exist and `columns` elements are left, to four
// rows of 16 pairs.
HWY_INLINE void TransposePairs(const Bfloat16* from, int64_t stride, int keys, int columns,
                               Pair* to) {
  const auto load = [&](int key) HWY_ATTR {
    return LoadSome(from + key * stride, key < keys ? columns : 0);
  };
  __m512i rows[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    __m512i row = _mm512_castsi128_si512(load(i));
    row = _mm512_inserti32x4(row, load(i + 4), 1);
    row = _mm512_inserti32x4(row, load(i + 8), 2);
    rows[i] = _mm512_inserti32x4(row, load(i + 12), 3);
  }
  const __m512i low01 = _mm512_unpacklo_epi32(rows[0], rows[1]);
  const __m512i high01 = _mm512_unpackhi_epi32(rows[0], rows[1]);
  const __m512i low23 = _mm512_unpacklo_epi32(rows[2], rows[3]);
  const __m512i high23 = _mm512_unpackhi_epi32(rows[2], rows[3]);
  const __m512i columns_of_pairs[4] = {
      _mm512_unpacklo_epi64(low01, low23), _mm512_unpackhi_epi64(low01, low23),
      _mm512_unpacklo_epi64(high01, high23), _mm512_unpackhi_epi64(high01, high23)};
  for (int c = 0; c < 4 && 2 * c < columns; ++c)
    _mm512_storeu_si512(to + c * kPanelKeys, columns_of_pairs[c]);
}

HWY_INLINE __m512i LoadSome32(const Bfloat16* from, int count) {
  const auto mask = static_cast<__mmask32>((uint64_t{1} << std::clamp(count, 0, 32)) - 1u);
  return _mm512_maskz_loadu_epi16(mask, from);
}

}  // namespace

void PackKeyPairs(BfloatRows keys, int count, int depth, Pair* panel) {
  for (int key = 0; key < count; key += kBlock)
    for (int c = 0; c < depth; c += 8)
      TransposePairs(keys.data + key * keys.stride + c, keys.stride, count - key, depth - c,
                     panel + c / 2 * kPanelKeys + key);
}

void PackValuePairs(BfloatRows values, int count, int columns, int64_t width, Pair* panel) {
  // Lanes i and 32 + i of two vectors, for i from 0 and from 16 on.
  alignas(64) uint16_t order[2][32];
  for (uint16_t i = 0; i < 32; ++i) {
    order[0][i] = static_cast<uint16_t>(i / 2 + i % 2 * 32);
    order[1][i] = static_cast<uint16_t>(order[0][i] + 16);
  }
  const __m512i low = _mm512_load_si512(order[0]), high = _mm512_load_si512(order[1]);
  for (int key = 0; key < count; key += 2, panel += width)
    for (int c = 0; c < columns; c += 32) {
      const Bfloat16* row = values.data + key * values.stride + c;
      const __m512i first = LoadSome32(row, columns - c);
      const __m512i second = LoadSome32(row + values.stride, key + 1 < count ? columns - c : 0);
      _mm512_storeu_si512(panel + c, _mm512_permutex2var_epi16(first, low, second));
      if (c + kBlock < width)
        _mm512_storeu_si512(panel + c + kBlock, _mm512_permutex2var_epi16(first, high, second));
    }
}

#else

void PackKeyPairs(BfloatRows, int, int, Pair*) {}
void PackValuePairs(BfloatRows, int, int, int64_t, Pair*) {}

#endif

}  // namespace attest::cpu
