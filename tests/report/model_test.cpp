// SPDX-License-Identifier: Apache-2.0
#include "harness/report/model.h"

#include <gtest/gtest.h>

#include "tests/report/fixture.h"

namespace attest::report {
namespace {

TEST(Verdict, NamesGoBothWays) {
  for (int i = 0; i < kVerdictCount; ++i) {
    const auto verdict = static_cast<Verdict>(i);
    EXPECT_EQ(VerdictFromName(VerdictName(verdict)), verdict);
  }
  EXPECT_EQ(VerdictName(Verdict::kVacuous), "vacuous");
  EXPECT_EQ(VerdictName(Verdict::kSkipped), "skipped");
  EXPECT_THROW(VerdictFromName("passed"), std::invalid_argument);
  EXPECT_THROW(VerdictFromName(""), std::invalid_argument);
}

TEST(Verdict, IsVerifiedOrFailureOrNeither) {
  for (Verdict verdict : {Verdict::kPass, Verdict::kSuspicious}) {
    EXPECT_TRUE(IsVerified(verdict));
    EXPECT_FALSE(IsFailure(verdict));
  }
  for (Verdict verdict :
       {Verdict::kFail, Verdict::kVacuous, Verdict::kError, Verdict::kTimeout, Verdict::kCrash}) {
    EXPECT_FALSE(IsVerified(verdict));
    EXPECT_TRUE(IsFailure(verdict));
  }
  for (Verdict verdict : {Verdict::kUnsupported, Verdict::kSkipped})
    EXPECT_FALSE(IsVerified(verdict) || IsFailure(verdict));
}

TEST(BackendState, NamesGoBothWays) {
  for (BackendState state :
       {BackendState::kLoaded, BackendState::kUnavailable, BackendState::kRejected})
    EXPECT_EQ(BackendStateFromName(BackendStateName(state)), state);
  EXPECT_THROW(BackendStateFromName("on"), std::invalid_argument);
}

TEST(Summary, CountsAnewAndKeepsDurations) {
  Report report = MakeReport();
  Summarize(report.cells, report.summary);
  const Summary& summary = report.summary;
  EXPECT_EQ(summary.cells, 2u);
  EXPECT_EQ(summary.results, 8u);
  EXPECT_EQ(summary.verified, 4u);
  EXPECT_EQ(summary.failed, 2u);
  EXPECT_EQ(summary.counts[static_cast<size_t>(Verdict::kUnsupported)], 2u);
  ASSERT_EQ(summary.per_label.size(), 4u);
  EXPECT_EQ(summary.per_label[3].label, "opencl:naive@1");
  EXPECT_DOUBLE_EQ(summary.duration_seconds, 12.5);
}

}  // namespace
}  // namespace attest::report
