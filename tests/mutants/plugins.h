// SPDX-License-Identifier: Apache-2.0
//
// Sweeps over the plugins of this folder, and which check decided a result.
#ifndef ATTEST_TESTS_MUTANTS_PLUGINS_H_
#define ATTEST_TESTS_MUTANTS_PLUGINS_H_

#include <string>
#include <vector>

#include "harness/core/sweep.h"
#include "harness/judge/judge.h"
#include "mutant.h"

namespace mutants {

bool IsCorrect(const Mutant& mutant);

// Verifies, without timing, by all checks, those plugins of the build on those cells; goes on after
// a failure. Throws std::runtime_error
// where one of them is not loaded: a plugin that is not there must not pass for one that was
// killed.
attest::judge::Outcome Verify(const std::vector<const Mutant*>& plugins,
                              const std::vector<attest::Cell>& cells);

// The checks that failed, else those that were suspicious. Where a result failed without a check (a
// timeout, an error), the name of its verdict.
std::vector<std::string> FiredChecks(const attest::report::Result& result);

double ErrorOverBound(const attest::report::Result& result);  // 0 where nothing was compared

}  // namespace mutants

#endif  // ATTEST_TESTS_MUTANTS_PLUGINS_H_
