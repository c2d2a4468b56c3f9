// SPDX-License-Identifier: Apache-2.0
//
// Packed K and V hold what the tensors hold, and summarize it rightly.
#include "reference/pack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "case.h"

namespace attest::reference {
namespace {

TEST(Pack, HoldsTheTensors) {
  const Case c(MakeProblem(2, 2, 1, 131, 300, 17), "normal", 1, 3);
  Pack pack(131, 300, 17);
  const auto tensors = c.Tensors();
  for (int64_t block = 0; block < pack.Blocks(); ++block) {
    pack.LoadBlock(*tensors[1], *tensors[2], 0, 1, block);
    ASSERT_TRUE(pack.IsFinite(block));
  }
  ASSERT_EQ(pack.Blocks(), 3);
  ASSERT_EQ(pack.Columns(), 32);
  for (int64_t j = 0; j < 131; ++j) {
    for (int64_t t = 0; t < 300; ++t) ASSERT_EQ(pack.Key(j, t), c.K(0, 1, j, t));
    for (int64_t n = 0; n < 17; ++n) ASSERT_EQ(pack.Value(j)[n], c.V(0, 1, j, n));
    ASSERT_EQ(pack.Value(j)[17], 0);
  }
}

TEST(Pack, SummarizesOnlyKeysThatAreThere) {
  Case c(MakeProblem(1, 1, 1, 66, 4, 1), "offset_v", 2);
  Pack pack(66, 4, 1);
  const auto load = [&] { pack.LoadBlock(*c.Tensors()[1], *c.Tensors()[2], 0, 0, 1); };
  load();
  const double a = c.V(0, 0, 64, 0), b = c.V(0, 0, 65, 0);
  EXPECT_EQ(pack.Least(1)[0], std::min(a, b));
  EXPECT_EQ(pack.Greatest(1)[0], std::max(a, b));
  EXPECT_EQ(pack.Absolute(1)[0], std::fabs(a) + std::fabs(b));
  c.Set(ATTEST_ROLE_V, 0, 0, 65, 0, std::numeric_limits<double>::quiet_NaN());
  load();
  EXPECT_FALSE(pack.IsFinite(1));
}

}  // namespace
}  // namespace attest::reference
