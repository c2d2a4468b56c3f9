// SPDX-License-Identifier: Apache-2.0
//
// Sampled rows: edges in, sorted, unique, the same every time.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "case.h"
#include "reference/oracle.h"

namespace attest::reference {
namespace {

TEST(SampleRows, HoldsEveryTileEdge) {
  attest_problem p = MakeProblem(3, 3, 4099, 4099, 64, 64);
  p.batch_size = 2;
  for (const int64_t count : {1, 64, 500}) {
    const auto rows = SampleRows(p, count, 7);
    std::set<int64_t> positions;
    for (const int64_t row : rows) positions.insert(row % 4099);
    for (const int64_t edge : {0, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 4098}) {
      EXPECT_TRUE(positions.contains(edge)) << count << " " << edge;
    }
    EXPECT_EQ(std::ssize(rows), std::max<int64_t>(count, 12));
  }
}

TEST(SampleRows, SortedUniqueInRangeAndDeterministic) {
  for (const int64_t length : {1, 2, 17, 300}) {
    const attest_problem p = MakeProblem(5, 5, length, 40, 8, 8);
    for (const int64_t count : {1, 4, 40, 299, 1499}) {
      const auto rows = SampleRows(p, count, 3);
      EXPECT_EQ(rows, SampleRows(p, count, 3));
      EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
      EXPECT_EQ(std::adjacent_find(rows.begin(), rows.end()), rows.end());
      EXPECT_GE(rows.front(), 0);
      EXPECT_LT(rows.back(), RowCount(p));
    }
  }
}

TEST(SampleRows, AllWhereAffordable) {
  const attest_problem p = MakeProblem(2, 2, 9, 40, 8, 8);
  EXPECT_EQ(std::ssize(SampleRows(p, 18, 1)), 18);
  EXPECT_EQ(std::ssize(SampleRows(p, 1000, 1)), 18);
  EXPECT_EQ(RowCount(p), 18);
  EXPECT_EQ(RowCost(p), 40 * 16);
}

TEST(SampleRows, VisitsEveryHeadAndDependsOnTheSeed) {
  const attest_problem p = MakeProblem(8, 8, 1024, 1024, 8, 8);
  const auto rows = SampleRows(p, 100, 1);
  std::set<int64_t> heads;
  for (const int64_t row : rows) heads.insert(row / 1024);
  EXPECT_EQ(heads.size(), 8u);
  EXPECT_NE(rows, SampleRows(p, 100, 2));
}

}  // namespace
}  // namespace attest::reference
