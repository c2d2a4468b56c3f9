// SPDX-License-Identifier: Apache-2.0
//
// A part of a sweep for one of several machines or jobs: "2/8" is the second of eight. Every cell
// is in exactly one part, neighbours in different ones, so that parts take about as long.
#ifndef ATTEST_HARNESS_CORE_SHARD_H_
#define ATTEST_HARNESS_CORE_SHARD_H_

#include <string>
#include <vector>

#include "harness/core/cell.h"

namespace attest {

struct Shard {
  size_t index = 1, count = 1;  // 1 <= index <= count
};

// Throws std::invalid_argument for what is no "i/n". An empty text is the whole.
Shard ParseShard(const std::string& text);

// Cells index, index + count, index + 2 count, ... in their order. Throws std::invalid_argument
// where none is left.
std::vector<Cell> CellsOfShard(const std::vector<Cell>& cells, const Shard& shard);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_SHARD_H_
