// SPDX-License-Identifier: Apache-2.0
//
// Operands of dot_tile.h from rows of bf16, which stay as they are: pairs of neighbours are put
// where dot products and tiles want them. With AVX-512 only.
#ifndef ATTEST_BACKENDS_CPU_DOT_PACK_H_
#define ATTEST_BACKENDS_CPU_DOT_PACK_H_

#include <cstdint>

#include "attest/half.hpp"
#include "dot_tile.h"

namespace attest::cpu {

// Rows of bf16 side by side in memory.
struct BfloatRows {
  const Bfloat16* data;
  int64_t stride;  // in elements
};

// `count` rows of `columns` elements that lie `step` apart, [count][padded], the padding 0.
void CopyRows(BfloatRows rows, int64_t step, int64_t count, int64_t columns, int64_t padded,
              Bfloat16* out);

// Packs `count` <= kPanelKeys keys of `depth` elements as [(depth + 1) / 2][kPanelKeys] pairs along
// the depth. Keys behind the last are 0 up to a multiple of 16, then undefined.
void PackKeyPairs(BfloatRows keys, int count, int depth, Pair* panel);

// Packs `count` rows of `columns` values as [(count + 1) / 2][width] pairs along the keys; rows and
// columns behind the last are 0. `width`: columns, rounded up to a multiple of 16.
void PackValuePairs(BfloatRows values, int count, int columns, int64_t width, Pair* panel);

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_DOT_PACK_H_
