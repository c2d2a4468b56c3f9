// SPDX-License-Identifier: Apache-2.0
//
// Environment variables that workers get, beside those that the judge has: settings of backends
// that the interface has no field for. The judge's own environment stays as it is.
#ifndef ATTEST_HARNESS_JUDGE_ENVIRONMENT_H_
#define ATTEST_HARNESS_JUDGE_ENVIRONMENT_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace attest::judge {

// Name and value; without a value the variable is taken away.
using Environment = std::vector<std::pair<std::string, std::optional<std::string>>>;

// "NAME=value" of each variable of `variables` (as `environ` holds them) after the changes.
std::vector<std::string> Changed(const char* const* variables, const Environment& changes);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_ENVIRONMENT_H_
