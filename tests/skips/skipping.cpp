// SPDX-License-Identifier: Apache-2.0
//
// Two tests that skip themselves, in the two places where one can, and one that passes.
#include <gtest/gtest.h>

TEST(Skipping, InTheTest) { GTEST_SKIP() << "no such device"; }

class SkippingSetUp : public testing::Test {
  void SetUp() override { GTEST_SKIP() << "no such instruction"; }
};
TEST_F(SkippingSetUp, Test) { FAIL() << "it must not run"; }

TEST(Passing, Test) { EXPECT_TRUE(true); }
