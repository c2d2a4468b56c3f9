// SPDX-License-Identifier: Apache-2.0
//
// Exit codes and requirements over every verdict.
#include "harness/cli/exit_code.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace attest::cli {
namespace {

using report::Verdict;

report::Report ReportWith(const std::vector<Verdict>& verdicts) {
  report::Report report;
  for (const Verdict verdict : verdicts) {
    report::Result result;
    result.backend = "b";
    result.variant = "v";
    result.verdict = verdict;
    report.cells.emplace_back().results.push_back(result);
  }
  report::Summarize(report.cells, report.summary);
  return report;
}

TEST(ExitCode, FollowsTheVerdicts) {
  const std::pair<Verdict, ExitCode> alone[] = {
      {Verdict::kPass, kAllVerified},         {Verdict::kSuspicious, kAllVerified},
      {Verdict::kFail, kVerificationFailed},  {Verdict::kVacuous, kVerificationFailed},
      {Verdict::kError, kVerificationFailed}, {Verdict::kTimeout, kVerificationFailed},
      {Verdict::kCrash, kVerificationFailed}, {Verdict::kUnsupported, kNothingVerified},
      {Verdict::kSkipped, kNothingVerified}};
  for (const auto& [verdict, code] : alone) {
    EXPECT_EQ(ExitCodeOf(ReportWith({verdict}), true), code) << report::VerdictName(verdict);
    const ExitCode beside_pass = code == kNothingVerified ? kAllVerified : code;
    EXPECT_EQ(ExitCodeOf(ReportWith({Verdict::kPass, verdict}), true), beside_pass)
        << report::VerdictName(verdict);
  }
  EXPECT_EQ(ExitCodeOf(ReportWith({}), true), kNothingVerified);
}

TEST(ExitCode, FailureComesBeforeAnUnmetRequirement) {
  EXPECT_EQ(ExitCodeOf(ReportWith({Verdict::kPass}), false), kNothingVerified);
  EXPECT_EQ(ExitCodeOf(ReportWith({Verdict::kPass, Verdict::kFail}), false), kVerificationFailed);
}

TEST(ExitCode, InterruptionComesFirst) {
  report::Report report = ReportWith({Verdict::kFail});
  report.complete = false;
  EXPECT_EQ(ExitCodeOf(report, true), kInterrupted);
}

TEST(Requirement, IsABackendOrAVariantWithACount) {
  const struct {
    const char *text, *label;
    uint64_t count;
  } cases[] = {{"b", "b", 1},
               {"b:3", "b", 3},
               {"b:v", "b:v", 1},
               {"b:v:2", "b:v", 2},
               {"b:v@1", "b:v@1", 1}};
  for (const auto& expected : cases) {
    const Requirement requirement = ParseRequirement(expected.text);
    EXPECT_EQ(requirement.label, expected.label) << expected.text;
    EXPECT_EQ(requirement.count, expected.count) << expected.text;
  }
  for (const char* text : {"", ":2", "b:0"})
    EXPECT_THROW(ParseRequirement(text), std::invalid_argument) << text;
}

TEST(Requirement, CountsVerifiedResultsOnly) {
  const report::Report report =
      ReportWith({Verdict::kPass, Verdict::kSuspicious, Verdict::kSkipped, Verdict::kUnsupported});
  EXPECT_TRUE(Unmet({{"b", 2}, {"b:v", 2}}, report).empty());
  EXPECT_EQ(Unmet({{"b", 3}, {"b:w", 1}, {"c", 1}}, report).size(), 3U);
}

TEST(Requirement, SaysWhyABackendIsMissing) {
  report::Report report = ReportWith({});
  report.backends.emplace_back().name = "gpu";
  report.backends.back().state = report::BackendState::kUnavailable;
  report.backends.back().reason = "no driver";
  EXPECT_NE(Unmet({{"gpu", 1}}, report).at(0).find("unavailable: no driver"), std::string::npos);
  EXPECT_NE(Unmet({{"gpo", 1}}, report).at(0).find("nearest is 'gpu'"), std::string::npos);
}

}  // namespace
}  // namespace attest::cli
