// SPDX-License-Identifier: Apache-2.0
//
// Sweeps: axes with their values, and the cells they span.
#ifndef ATTEST_HARNESS_CORE_SWEEP_H_
#define ATTEST_HARNESS_CORE_SWEEP_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "harness/core/cell.h"

namespace attest {

// One block of a sweep: axis name -> values as the user writes them ("128,512", "128-4096*2",
// "1024-4096+512", words where the axis has words). Axes that are missing have their default.
using Axes = std::map<std::string, std::string>;

struct AxisInfo {
  std::string name;         // "seq", "kv-len", "heads", ...
  std::string description;  // with the words or the range it takes, and the default
};
// Every axis, in the order of the help text: seq kv-len heads kv-heads head-size v-head-size batch
// op hidden structure bias out-proj cross causal window softcap scale mask mask-shape kv-lengths
// dtype layout lse weights data.
const std::vector<AxisInfo>& AllAxes();

// "128,512" / "128-4096*2" / "1024-4096+512" -> numbers. Throws std::invalid_argument that says
// what is wrong and shows the grammar.
std::vector<int64_t> ParseNumbers(std::string_view axis, std::string_view text);

// The cells of the blocks, in order of increasing work within a block, duplicates dropped; every
// axis of `overrides` replaces that axis of every block. Throws std::invalid_argument: unknown axis
// (with the nearest known one), bad value, or a problem that breaks a rule.
std::vector<Cell> ExpandSweep(const std::vector<Axes>& blocks, const Axes& overrides,
                              uint64_t seed);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_SWEEP_H_
