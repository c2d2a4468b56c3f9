// SPDX-License-Identifier: Apache-2.0
//
// Where a Markdown summary goes: a file, or the place the CI service names.
#ifndef ATTEST_HARNESS_CLI_SUMMARY_FILE_H_
#define ATTEST_HARNESS_CLI_SUMMARY_FILE_H_

#include <cstddef>
#include <functional>
#include <string>

namespace attest::cli {

// `path` "auto": appended to the file GITHUB_STEP_SUMMARY names. `make` is told how many bytes are
// there already, because the service's limit is for the whole file. "" or why nothing was written.
std::string WriteSummaryFile(const std::string& path,
                             const std::function<std::string(size_t)>& make);

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_SUMMARY_FILE_H_
