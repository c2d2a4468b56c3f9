// SPDX-License-Identifier: Apache-2.0
//
// After a sweep: for each failed result the smallest problem that fails in the same way, verified
// as `attest verify` would, and the command for it.
#ifndef ATTEST_HARNESS_JUDGE_SMALLEST_H_
#define ATTEST_HARNESS_JUDGE_SMALLEST_H_

#include <vector>

#include "harness/judge/contender.h"

namespace attest::judge {

// Looks for `settings.shrink_seconds` at each failed, erroneous or crashed result, ten times that
// in all, and sets `smallest`, `reproduce`, `reproduce_original` where a smaller problem fails,
// too, also in a fresh worker. A wrong result's inferred contract must explain that one as well.
// Leaves timeouts alone, and what only timed rounds show.
void FindSmallest(const Settings& settings, const Hooks& hooks,
                  const std::vector<Contender>& contenders, std::vector<report::CellRecord>& cells);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_SMALLEST_H_
