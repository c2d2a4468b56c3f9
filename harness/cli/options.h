// SPDX-License-Identifier: Apache-2.0
//
// The options that `run` and `verify` share.
#ifndef ATTEST_HARNESS_CLI_OPTIONS_H_
#define ATTEST_HARNESS_CLI_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "harness/core/sweep.h"

namespace CLI {
class App;
}

namespace attest::cli {

struct RunOptions {
  std::string suite = "default";
  Axes axes;  // every axis; an empty text = not given
  std::vector<std::string> backends, backend_paths, require;
  std::string out, summary, config, from_report, shard;
  std::string baseline = "eigen:unfused";
  std::string cache = "warm", isa, color = "auto";
  std::string threads;  // "2" or "1,2"; empty = as many as this process may run on
  std::string tune;     // "kept", "missing" or "never"; empty = what the environment says
  std::string checks;   // "quick" or "all"; empty = quick where it is measured, else all
  uint64_t seed = 1;
  int rounds = 12;
  double min_time_seconds = 0.03, timeout_seconds = 60, max_cell_seconds = 4;
  double shrink_seconds = 2;
  bool quiet = false, list_cells = false, resume = false, compare_rules = false, redact = false;
};

// `options` must outlive the parser.
void AddRunOptions(CLI::App& parser, RunOptions& options);
void AddBackendPathOption(CLI::App& parser, std::vector<std::string>& directories);

// The axes that were given.
Axes GivenAxes(const RunOptions& options);

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_OPTIONS_H_
