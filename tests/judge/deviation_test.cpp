// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/deviation.h"

#include <gtest/gtest.h>

#include <numeric>

namespace attest::judge {
namespace {

using Indices = std::vector<int64_t>;

Indices UpTo(int64_t count) {
  Indices indices(static_cast<size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

std::string Rows(const Indices& wrong, const Indices& checked) {
  return DescribeIndices("row", "rows", wrong, checked);
}

TEST(DescribeIndices, NamesTheSimplePatterns) {
  EXPECT_EQ(Rows({}, UpTo(9)), "");
  EXPECT_EQ(Rows(UpTo(9), UpTo(9)), "") << "all: nothing to tell apart";
  EXPECT_EQ(Rows({5}, UpTo(9)), "in row 5");
  EXPECT_EQ(Rows({6, 7, 8}, UpTo(9)), "from row 6 on");
  EXPECT_EQ(Rows({0, 1}, UpTo(9)), "up to row 1");
  EXPECT_EQ(Rows({2, 3, 4}, UpTo(9)), "in rows 2 to 4");
  EXPECT_EQ(Rows({63, 127, 191}, UpTo(197)), "in every 64th row from row 63 on");
  EXPECT_EQ(Rows({1, 4, 7}, UpTo(9)), "in every 3rd row from row 1 on");
  EXPECT_EQ(Rows({1, 4, 8}, UpTo(9)), "in 3 of 9 rows, the first is row 1");
}

TEST(DescribeIndices, SpeaksOfWhatWasComparedOnly) {
  const Indices sampled = {0, 15, 16, 63, 64, 127, 196};
  EXPECT_EQ(Rows({64, 127, 196}, sampled), "from row 64 on");
  EXPECT_EQ(Rows({15, 63, 127}, sampled), "in 3 of 7 rows, the first is row 15");
  EXPECT_EQ(Rows({16, 63}, sampled), "in rows 16 to 63");
}

report::Result ResultOf(const char* backend, report::Verdict verdict, const char* deviation = "",
                        const char* failed = "") {
  report::Result result;
  result.backend = backend;
  result.verdict = verdict;
  result.verification.emplace();
  result.verification->deviation = deviation;
  if (*failed != 0) result.verification->checks.push_back({failed, "fail", ""});
  return result;
}

TEST(DescribeAgreement, SaysWhoDeviatesAndWhere) {
  using report::Verdict;
  const report::Result right = ResultOf("a", Verdict::kPass),
                       marked = ResultOf("b", Verdict::kSuspicious),
                       from = ResultOf("x", Verdict::kFail, "from row 64 on", "bound"),
                       key = ResultOf("y", Verdict::kFail, "everywhere without key 9", "bound"),
                       probed = ResultOf("z", Verdict::kFail, "", "needle"),
                       harmful = ResultOf("w", Verdict::kFail, "", "memory"),
                       crashed = ResultOf("v", Verdict::kCrash),
                       absent = ResultOf("u", Verdict::kUnsupported);
  EXPECT_EQ(DescribeAgreement({}, false), "");
  EXPECT_EQ(DescribeAgreement({right, marked, absent, harmful, crashed}, false), "");
  EXPECT_EQ(DescribeAgreement({right, from, marked, absent, crashed}, false),
            "2 agree with the reference, 1 (x) deviates from row 64 on");
  EXPECT_EQ(DescribeAgreement({right, from, key}, false),
            "1 agrees with the reference, 2 deviate: (x) from row 64 on; (y) everywhere without "
            "key 9");
  EXPECT_EQ(DescribeAgreement({from, from}, true),
            "none agrees with the reference, 2 deviate alike: (x) from row 64 on; (x) from row 64 "
            "on");
  EXPECT_EQ(DescribeAgreement({probed}, false), "none agrees with the reference, 1 (z) deviates");
  EXPECT_EQ(DescribeAgreement({from, from, from, from, from}, false),
            "none agrees with the reference, 5 deviate: (x) from row 64 on; (x) from row 64 on; "
            "(x) from row 64 on; (x) from row 64 on; and 1 more");
}

}  // namespace
}  // namespace attest::judge
