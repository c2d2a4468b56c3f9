// SPDX-License-Identifier: Apache-2.0
//
// From options to what the judge is told and what the report says about it.
#ifndef ATTEST_HARNESS_CLI_SETTINGS_H_
#define ATTEST_HARNESS_CLI_SETTINGS_H_

#include <string>
#include <vector>

#include "harness/cli/options.h"
#include "harness/judge/judge.h"
#include "harness/report/model.h"

namespace attest::cli {

// CPUs that this process may run on.
unsigned AllowedCpus();

// The cells of the suite with the axes that were given. Throws std::invalid_argument.
std::vector<Cell> CellsOf(const RunOptions& options);

// Throws std::invalid_argument for a missing directory or an unknown ISA level.
judge::Settings SettingsOf(const RunOptions& options, bool measure);

report::Policy PolicyOf(const RunOptions& options, const judge::Settings& settings);

// Throws std::invalid_argument naming the largest cell whose tensors do not fit into the memory
// that is free, with the bytes needed and had. Allocates nothing.
void RequireMemory(const std::vector<Cell>& cells, bool measure);

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_SETTINGS_H_
