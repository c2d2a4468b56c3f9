// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/environment.h"

#include <gtest/gtest.h>

namespace attest::judge {
namespace {

TEST(Changed, SetsReplacesAndTakesAway) {
  const char* const variables[] = {"A=1", "AB=2", "EMPTY=", "GONE=3=4", "odd", nullptr};
  EXPECT_EQ(Changed(variables, {}),
            (std::vector<std::string>{"A=1", "AB=2", "EMPTY=", "GONE=3=4", "odd"}));
  EXPECT_EQ(Changed(variables, {{"A", "x=y"}, {"GONE", std::nullopt}, {"NEW", ""}}),
            (std::vector<std::string>{"AB=2", "EMPTY=", "odd", "A=x=y", "NEW="}));
}

}  // namespace
}  // namespace attest::judge
