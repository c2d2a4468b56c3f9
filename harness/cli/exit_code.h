// SPDX-License-Identifier: Apache-2.0
//
// What a finished run means for the process that called it.
#ifndef ATTEST_HARNESS_CLI_EXIT_CODE_H_
#define ATTEST_HARNESS_CLI_EXIT_CODE_H_

#include <string>
#include <vector>

#include "harness/report/model.h"

namespace attest::cli {

enum ExitCode {
  kAllVerified = 0,
  kVerificationFailed = 1,
  kUsageError = 2,
  kSuiteError = 3,
  kRegression = 4,
  kNothingVerified = 5,  // or a --require was not met
  kInterrupted = 130
};

// One --require: BACKEND or BACKEND:VARIANT, with :COUNT results that must be verified (at least
// 1).
struct Requirement {
  std::string label;
  uint64_t count = 1;
};
// Throws std::invalid_argument for an empty name or a count of 0.
Requirement ParseRequirement(const std::string& text);

// One message for each requirement that the report does not meet.
std::vector<std::string> Unmet(const std::vector<Requirement>& requirements,
                               const report::Report& report);

// Of a report with its summary. Prints nothing.
ExitCode ExitCodeOf(const report::Report& report, bool requirements_met);

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_EXIT_CODE_H_
