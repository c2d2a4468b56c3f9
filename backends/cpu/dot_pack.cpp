// SPDX-License-Identifier: Apache-2.0
#include "dot_pack.h"

#include <algorithm>

#include "transpose.h"

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

// The first `count` of up to 32 elements, 0 behind them; none are read for count <= 0.
HWY_INLINE __m512i LoadSome(const Bfloat16* from, int count) {
  const auto mask = static_cast<__mmask32>((uint64_t{1} << std::clamp(count, 0, 32)) - 1u);
  return _mm512_maskz_loadu_epi16(mask, from);
}

// 16 keys x 32 elements, of which `keys` and `columns` exist.
template <bool kWhole>
HWY_INLINE void PackSquare(BfloatRows from, int keys, int columns, Pair* to) {
  __m512 rows[kSquare];
#pragma GCC unroll 16
  for (int i = 0; i < kSquare; ++i) {
    const Bfloat16* row = from.data + i * from.stride;
    rows[i] = _mm512_castsi512_ps(kWhole ? _mm512_loadu_si512(row)
                                         : LoadSome(row, i < keys ? columns : 0));
  }
  StoreTransposed(rows, kWhole ? kSquare : (columns + 1) / 2, to, kPanelKeys);
}

}  // namespace

void PackKeyPairs(BfloatRows keys, int count, int depth, Pair* panel) {
  for (int key = 0; key < count; key += kSquare)
    for (int c = 0; c < depth; c += 2 * kSquare) {
      const BfloatRows from{keys.data + key * keys.stride + c, keys.stride};
      Pair* to = panel + c / 2 * kPanelKeys + key;
      if (count - key >= kSquare && depth - c >= 2 * kSquare)
        PackSquare<true>(from, kSquare, 2 * kSquare, to);
      else
        PackSquare<false>(from, count - key, depth - c, to);
    }
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
      const __m512i first = LoadSome(row, columns - c);
      const __m512i second = LoadSome(row + values.stride, key + 1 < count ? columns - c : 0);
      _mm512_storeu_si512(panel + c, _mm512_permutex2var_epi16(first, low, second));
      if (c + kSquare < width)
        _mm512_storeu_si512(panel + c + kSquare, _mm512_permutex2var_epi16(first, high, second));
    }
}

#else

void PackKeyPairs(BfloatRows, int, int, Pair*) {}
void PackValuePairs(BfloatRows, int, int, int64_t, Pair*) {}

#endif

}  // namespace attest::cpu
