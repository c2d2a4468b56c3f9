// SPDX-License-Identifier: Apache-2.0
//
// What a suite study-NAME shows, after its sweep.
#ifndef ATTEST_HARNESS_CLI_STUDIES_H_
#define ATTEST_HARNESS_CLI_STUDIES_H_

#include <cstdio>
#include <vector>

#include "harness/cli/options.h"
#include "harness/judge/judge.h"
#include "harness/report/model.h"

namespace attest::cli {

// The study for each backend that gives its figures; none for another suite, and for one whose axes
// were changed, whose cells are not the study's. Calls the backends once more, on the study's
// cells.
std::vector<report::Study> RunStudies(const RunOptions& options, const judge::Settings& settings);

// Their tables and sentences.
void PrintStudies(const std::vector<report::Study>& studies, std::FILE* stream);

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_STUDIES_H_
