// SPDX-License-Identifier: Apache-2.0
//
// A report that can be shown to strangers: without host name, user names, paths and the command
// line, in all texts, those of libraries' errors included. What comparisons need (processor,
// versions, options, cells, times) stays. Serial numbers and addresses of devices never are in a
// report.
#ifndef ATTEST_HARNESS_REPORT_REDACT_H_
#define ATTEST_HARNESS_REPORT_REDACT_H_

#include <string>
#include <vector>

#include "harness/report/model.h"

namespace attest::report {

// `names`: of users, to be removed where they stand as words of their own; the report's host name
// is, too.
void Redact(Report& report, const std::vector<std::string>& names);

// The names of the user that runs this, from the environment and the password file.
std::vector<std::string> UserNames();

// ---- parts, for their tests ----

// Every absolute or home-relative path as "[path]".
std::string WithoutPaths(const std::string& text);
// Every occurrence of `word` that is not part of a longer word, as `replacement`.
std::string WithoutWord(const std::string& text, const std::string& word,
                        const std::string& replacement);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_REDACT_H_
