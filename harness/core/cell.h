// SPDX-License-Identifier: Apache-2.0
//
// A cell: one problem of a sweep with its memory and its data kind, and its stable name. Knows no
// backend.
#ifndef ATTEST_HARNESS_CORE_CELL_H_
#define ATTEST_HARNESS_CORE_CELL_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "attest/abi.h"
#include "harness/core/names.h"
#include "harness/core/problem.h"
#include "harness/core/tensors.h"

namespace attest {

struct Cell {
  attest_problem problem = DefaultProblem();
  Layout layout = Layout::kBnsh;
  MaskShape mask_shape = MaskShape::kShared;  // kShared where there is no mask
  std::string data = "normal";
  uint64_t seed = 1;  // no part of the name
};

// "onednn:flash@1"; an empty variant gives "numpy", device 0 is not written.
std::string ResultLabel(std::string_view backend, std::string_view variant, uint32_t device);

// "sdpa/f32/b1/h12/kv12/q512/k512/d64" plus every field that is not at its default, in a fixed
// order: two different cells of a sweep never share one.
std::string CellId(const Cell& cell);
// The benchmark's name: the label between operation and type: "sdpa/onednn:flash/f32/...".
std::string BenchmarkName(const Cell& cell, std::string_view label);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_CELL_H_
