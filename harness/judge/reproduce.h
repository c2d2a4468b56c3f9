// SPDX-License-Identifier: Apache-2.0
//
// The command line that shows a result again.
#ifndef ATTEST_HARNESS_JUDGE_REPRODUCE_H_
#define ATTEST_HARNESS_JUDGE_REPRODUCE_H_

#include <string>

#include "harness/judge/contender.h"

namespace attest::judge {

// Whether a timed round showed it, and no call before.
bool FailedInARound(const report::Result& result);

// `verify` of that one cell by that one contender; `run` where only a timed round fails. Words that
// a shell would take apart are quoted.
std::string ReproduceCommand(const Settings& settings, const Contender& contender, const Cell& cell,
                             const report::Result& result);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_REPRODUCE_H_
