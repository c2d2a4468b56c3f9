// SPDX-License-Identifier: Apache-2.0
#include "harness/core/threads.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace attest {
namespace {

std::string Refusal(const std::string& text, unsigned cpus) {
  try {
    (void)ParseThreads(text, cpus);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(Threads, OneCountOrSeveral) {
  EXPECT_EQ(ThreadsText(ParseThreads("", 6)), "6");
  EXPECT_EQ(ThreadsText(ParseThreads("8", 2)), "8") << "more threads than CPUs may be measured";
  EXPECT_EQ(ThreadsText(ParseThreads("2,1", 2)), "1,2");
  const ThreadCounts counts = ParseThreads("1-8*2", 8);
  EXPECT_EQ(counts.most, 8u);
  EXPECT_EQ(counts.fewer, (std::vector<unsigned>{1, 2, 4}));
}

TEST(Threads, SaysWhatIsWrongWithACount) {
  EXPECT_NE(Refusal("0", 2).find("--threads: 0 threads"), std::string::npos);
  EXPECT_NE(Refusal("-1", 2).find("--threads"), std::string::npos);
  EXPECT_NE(Refusal("two", 2).find("'two' is no number"), std::string::npos);
  EXPECT_NE(Refusal("1,,2", 2).find("is no number"), std::string::npos);
  EXPECT_NE(Refusal("1,2,1", 2).find("1 is given twice"), std::string::npos);
  EXPECT_NE(Refusal("1,4", 2).find("4 is more than the 2 CPUs"), std::string::npos);
  EXPECT_NE(Refusal("99999999999", 2).find("99999999999"), std::string::npos);
}

TEST(Threads, ANameTellsTheCount) {
  EXPECT_EQ(NameWithThreads("cpu", 0), "cpu");
  EXPECT_EQ(NameWithThreads("cpu-base", 12), "cpu-base-12t");
  for (const auto& [name, backend, fewer] : {std::tuple{"cpu", "cpu", 0u},
                                             {"cpu-12t", "cpu", 12u},
                                             {"cpu-base-1t", "cpu-base", 1u},
                                             {"cpu-0t", "cpu-0t", 0u},
                                             {"cpu-t", "cpu-t", 0u},
                                             {"cpu-1", "cpu-1", 0u},
                                             {"cpu-1xt", "cpu-1xt", 0u},
                                             {"-1t", "-1t", 0u},
                                             {"", "", 0u}}) {
    EXPECT_EQ(SplitThreads(name).backend, backend) << name;
    EXPECT_EQ(SplitThreads(name).fewer, fewer) << name;
  }
}

}  // namespace
}  // namespace attest
