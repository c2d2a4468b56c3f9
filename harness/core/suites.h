// SPDX-License-Identifier: Apache-2.0
//
// Named sweeps.
#ifndef ATTEST_HARNESS_CORE_SUITES_H_
#define ATTEST_HARNESS_CORE_SUITES_H_

#include <string>
#include <string_view>
#include <vector>

#include "harness/core/sweep.h"

namespace attest {

struct Suite {
  std::string name;
  std::string description;
  std::vector<Axes> blocks;
  bool with_peers = false;  // measured on the backends that are used on request, too
};
const std::vector<Suite>& AllSuites();  // alphabetical
// Throws std::invalid_argument with the nearest known name.
const Suite& FindSuite(std::string_view name);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_SUITES_H_
