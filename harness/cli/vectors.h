// SPDX-License-Identifier: Apache-2.0
//
// attest verify --vectors DIR: ONNX node tests of Attention, in place of a sweep.
#ifndef ATTEST_HARNESS_CLI_VECTORS_H_
#define ATTEST_HARNESS_CLI_VECTORS_H_

#include <string>

#include "harness/cli/options.h"

namespace CLI {
class App;
}

namespace attest::cli {

struct VectorOptions {
  std::string directory;  // empty: a sweep
  size_t expect = 1;      // cases that must be there
};

// `options` must outlive the parser.
void AddVectorOptions(CLI::App& parser, VectorOptions& options);

// Every case on every backend. The exit code; kNothingVerified also for fewer readable cases than
// expected. Throws std::invalid_argument for options that belong to a sweep.
int RunVectors(const RunOptions& options, const VectorOptions& vectors);

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_VECTORS_H_
