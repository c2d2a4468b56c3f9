// SPDX-License-Identifier: Apache-2.0
//
// The register tile of tile.h on bf16 operands: both products by dot products of pairs (vdpbf16ps),
// summed in f32. Between them softmax is f32 as in tile.h, but P is rounded to bf16.
#ifndef ATTEST_BACKENDS_CPU_DOT_TILE_H_
#define ATTEST_BACKENDS_CPU_DOT_TILE_H_

#include <cstdint>

#include "attest/half.hpp"
#include "tile.h"

namespace attest::cpu {

// Two neighbours of a sum's dimension in one word, the first in its lower half.
using Pair = uint32_t;

// The operands of Tile are not used.
struct DotTile : Tile {
  const Bfloat16* q_pairs;  // [rows, depth]; 0 behind an odd depth
  int64_t q_pairs_stride;   // in elements
  const Pair* key_pairs;    // [pairs of depth][kPanelKeys]
  const Pair* value_pairs;  // [pairs of keys][value_width]
  int64_t value_width;      // a multiple of kLanes
  Pair* p_pairs;            // scratch [kRows][kPanelKeys / 2]
  float factor;             // scale x log2(e) (with softcap: twice the argument of tanh)
  bool sums_rounded;        // sums of P as rounded; else before, as an LSE wants
};

// Computes the tile; its rows of `out` are whole vectors. Only where the CPU
// has AVX512_BF16.
void ComputeTile(const DotTile& tile);

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_DOT_TILE_H_
