// SPDX-License-Identifier: Apache-2.0
//
// Reports named on the command line: what is wrong with a file is the user's to put right.
#ifndef ATTEST_HARNESS_CLI_READ_REPORTS_H_
#define ATTEST_HARNESS_CLI_READ_REPORTS_H_

#include <string>
#include <vector>

#include "harness/report/model.h"

namespace attest::cli {

// Throws std::invalid_argument: what cannot be read, what is of another tool, cut off, or newer.
report::Report ReadReport(const std::string& path);
std::vector<report::Report> ReadReports(const std::vector<std::string>& paths);
// Throws std::invalid_argument for a path that cannot be written.
void CheckOutput(const std::string& path);

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_READ_REPORTS_H_
