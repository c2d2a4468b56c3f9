// SPDX-License-Identifier: Apache-2.0
//
// What a suite study-NAME shows, after its sweep.
#ifndef ATTEST_HARNESS_CLI_STUDIES_H_
#define ATTEST_HARNESS_CLI_STUDIES_H_

#include <cstdio>

#include "harness/cli/options.h"
#include "harness/judge/judge.h"

namespace attest::cli {

// Table and sentence of the study for each backend that gives its figures; nothing for another
// suite, and for one whose axes were changed, whose cells are not the study's. Calls the backends
// once more, on the study's cells.
void PrintStudies(const RunOptions& options, const judge::Settings& settings, std::FILE* stream);

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_STUDIES_H_
