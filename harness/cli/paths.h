// SPDX-License-Identifier: Apache-2.0
//
// Where the program finds its worker and the plugins: beside itself, in the build tree as
// installed.
#ifndef ATTEST_HARNESS_CLI_PATHS_H_
#define ATTEST_HARNESS_CLI_PATHS_H_

#include <string>
#include <vector>

namespace attest::cli {

std::string ExecutablePath();
// As typed, the program's name first.
std::vector<std::string> Arguments();
// Throws std::runtime_error where it is not there.
std::string WorkerPath();
// Those given, those of ATTEST_BACKEND_PATH (separated by ':'), then ../lib/attest beside the
// program where that is a directory.
std::vector<std::string> PluginDirectories(const std::vector<std::string>& given);

// Where compiled kernels are kept between runs: attest in XDG_CACHE_HOME, else in ~/.cache; empty,
// which means nowhere, without either.
std::string CacheDirectory();

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_PATHS_H_
