// SPDX-License-Identifier: Apache-2.0
//
// Few query rows against long K and V that are read once, where they lie: products along the rows
// of K, no packing, four streams at once (attest/prefetch.hpp). What bounds it is memory.
#ifndef ATTEST_BACKENDS_CPU_DECODE_TILE_H_
#define ATTEST_BACKENDS_CPU_DECODE_TILE_H_

#include "attest/prefetch.hpp"
#include "tile.h"

namespace attest::cpu {

inline constexpr int kDecodeRows = 4;  // of one tile

// Rows of K or V as they lie in memory: elements of any io type, contiguous in a row. A panel reads
// them in kReadStreams streams: row j is row j / 4 of stream j % 4.
struct IoRows {
  const void* data;
  int32_t dtype;
  int64_t stride;  // from row to row of a stream, in elements
  int64_t gap;     // from stream to stream
};

// tile.p = q k^T for tile.rows <= kDecodeRows rows and tile.key_count keys. tile.q is padded to
// whole vectors with 0. `ahead`: the rows that follow in each
// stream are asked for.
void DecodeScores(const Tile& tile, const IoRows& keys, bool ahead);

// tile.out += P V. The rows of tile.out are whole vectors.
void DecodeOutput(const Tile& tile, const IoRows& values, bool ahead);

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_DECODE_TILE_H_
