// SPDX-License-Identifier: Apache-2.0
//
// main() of all GoogleTest programs here: a test that skips itself fails where ATTEST_FORBID_SKIPS
// is 1, with its reason in the output either way.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

namespace {

bool SkipsAreForbidden() {
  const char* value = std::getenv("ATTEST_FORBID_SKIPS");
  return value != nullptr && std::string_view(value) == "1";
}

class FailSkips : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo& test) override {
    if (test.result()->Skipped())
      ADD_FAILURE() << "skipped, for the reason above, and ATTEST_FORBID_SKIPS=1";
  }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (SkipsAreForbidden())  // the listener then belongs to GoogleTest
    testing::UnitTest::GetInstance()->listeners().Append(new FailSkips);
  return RUN_ALL_TESTS();
}
