// SPDX-License-Identifier: Apache-2.0
//
// The axes of sweeps: name, help text, default, and what a value does to a cell. For sweep.cpp.
#ifndef ATTEST_HARNESS_CORE_AXES_H_
#define ATTEST_HARNESS_CORE_AXES_H_

#include <string>
#include <string_view>
#include <vector>

#include "harness/core/sweep.h"

namespace attest {

// What a value of an axis does to a cell. Throws std::invalid_argument that names the axis.
using Apply = void (*)(std::string_view axis, const std::string& text, Cell& cell);

struct Axis {
  AxisInfo info;
  const char* default_value;  // "" = left to ResolveProblem
  bool numbers;               // takes ranges
  Apply apply;
  const char* follows = "";  // the axis whose value it has while it has none of its own
};

// In the order they apply: causal needs both lengths, scale the layer's sizes.
const std::vector<Axis>& AxisTable();

// Fills in sizes that no axis gave: heads of 64, or as many as divide hidden_size evenly; without
// either, hidden_size follows. Throws std::invalid_argument where heads do not divide it.
void CompleteSizes(attest_problem& problem);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_AXES_H_
