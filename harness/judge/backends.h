// SPDX-License-Identifier: Apache-2.0
//
// From plugin files to contenders: loads each in a worker, keeps what it says of itself.
#ifndef ATTEST_HARNESS_JUDGE_BACKENDS_H_
#define ATTEST_HARNESS_JUDGE_BACKENDS_H_

#include <string>
#include <vector>

#include "harness/judge/contender.h"

namespace attest::judge {

struct Field {
  std::vector<report::Backend> backends;  // every plugin that a pattern may mean
  std::vector<Contender> contenders;      // in order of label
};

// Throws std::invalid_argument for a pattern that names no backend, variant or device there is.
Field Assemble(const Settings& settings, const Hooks& hooks);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_BACKENDS_H_
