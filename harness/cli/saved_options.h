// SPDX-License-Identifier: Apache-2.0
//
// Options that stand in a file: a TOML file, or the report of an earlier run.
#ifndef ATTEST_HARNESS_CLI_SAVED_OPTIONS_H_
#define ATTEST_HARNESS_CLI_SAVED_OPTIONS_H_

#include "harness/cli/options.h"

namespace attest::cli {

// Fills in what the command line left open: first from --config, then from --from-report. Throws
// std::invalid_argument for a file that cannot be read, and for an unknown key with the nearest
// option.
void ApplySavedOptions(CLI::App& parser, const RunOptions& options);

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_SAVED_OPTIONS_H_
