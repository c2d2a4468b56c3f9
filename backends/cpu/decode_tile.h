// SPDX-License-Identifier: Apache-2.0
//
// Few query rows against long K and V that are read once, where they lie: products along the rows
// of K, no packing, prefetches far ahead. What bounds it is memory.
#ifndef ATTEST_BACKENDS_CPU_DECODE_TILE_H_
#define ATTEST_BACKENDS_CPU_DECODE_TILE_H_

#include "tile.h"

namespace attest::cpu {

inline constexpr int kDecodeRows = 4;  // of one tile

// tile.p = q k^T for tile.rows <= kDecodeRows rows and tile.key_count keys. `keys` are rows as they
// lie in memory, tile.q is padded to whole vectors with 0. `ahead`: rows beyond may be prefetched.
void DecodeScores(const Tile& tile, const float* keys, int64_t key_stride, bool ahead);

// tile.out += P V. The rows of tile.out are whole vectors.
void DecodeOutput(const Tile& tile, bool ahead);

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_DECODE_TILE_H_
