// SPDX-License-Identifier: Apache-2.0
//
// Blocks of whole score rows for onednn:primitives: which query rows of a head, against how many
// keys, in which order. Primitives exist per block shape: under a causal mask the key count is
// rounded up so that there are few shapes.
#ifndef ATTEST_BACKENDS_ONEDNN_SCHEDULE_H_
#define ATTEST_BACKENDS_ONEDNN_SCHEDULE_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "attest/abi.h"

namespace attest::onednn {

// Query rows and keys of a block.
struct BlockShape {
  int64_t rows;
  int64_t keys;
  friend auto operator<=>(const BlockShape&, const BlockShape&) = default;
};

// Rows [first, first + shape.rows) of a head against keys [0, shape.keys).
struct BlockTask {
  int64_t b;
  int64_t h;
  int64_t first;
  BlockShape shape;
  size_t shape_index;  // in Schedule::shapes
};

struct Schedule {
  Schedule(const attest_problem& problem, unsigned threads);
  std::vector<BlockTask> tasks;  // longest first
  std::vector<BlockShape> shapes;
};

}  // namespace attest::onednn

#endif  // ATTEST_BACKENDS_ONEDNN_SCHEDULE_H_
