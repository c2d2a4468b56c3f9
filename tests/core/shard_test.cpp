// SPDX-License-Identifier: Apache-2.0
#include "harness/core/shard.h"

#include <gtest/gtest.h>

#include <set>

#include "harness/core/suites.h"

namespace attest {
namespace {

std::vector<Cell> Sweep() { return ExpandSweep(FindSuite("default").blocks, {}, 1); }

TEST(Shard, PartsAreTheWholeEachCellOnce) {
  const std::vector<Cell> cells = Sweep();
  for (const size_t count : {1, 2, 3, 7}) {
    std::multiset<std::string> whole, parts;
    size_t least = SIZE_MAX, most = 0;
    for (const Cell& cell : cells) whole.insert(CellId(cell));
    for (size_t index = 1; index <= count; ++index) {
      const std::vector<Cell> part = CellsOfShard(cells, {index, count});
      for (const Cell& cell : part) parts.insert(CellId(cell));
      least = std::min(least, part.size());
      most = std::max(most, part.size());
    }
    EXPECT_EQ(parts, whole) << count;
    EXPECT_LE(most - least, 1U);
  }
}

TEST(Shard, Text) {
  EXPECT_EQ(ParseShard("").count, 1U);
  EXPECT_EQ(ParseShard("3/8").index, 3U);
  EXPECT_EQ(ParseShard("3/8").count, 8U);
  for (const char* bad : {"0/2", "3/2", "1", "1/", "/2", "1/2/3", "a/b", "-1/2", "1/2 ", "1/0"})
    EXPECT_THROW(ParseShard(bad), std::invalid_argument) << bad;
}

TEST(Shard, AnEmptyOneIsRefused) {
  EXPECT_THROW(CellsOfShard(Sweep(), {1000, 1000}), std::invalid_argument);
}

}  // namespace
}  // namespace attest
