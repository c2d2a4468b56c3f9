// SPDX-License-Identifier: Apache-2.0
//
// The search for a smaller problem that still fails: sizes down to the least that fails, features
// off one by one, again until nothing smaller fails. Greedy: it ends where no single step goes on,
// which need not be the smallest problem of all.
#ifndef ATTEST_HARNESS_JUDGE_SHRINK_H_
#define ATTEST_HARNESS_JUDGE_SHRINK_H_

#include <functional>

#include "harness/core/cell.h"

namespace attest::judge {

struct ShrinkLimits {
  double seconds = 2;
  int tries = 400;
};

struct Shrunk {
  Cell cell;             // the smallest that failed; the given one where no other did
  int tries = 0;         // calls of `fails`
  bool minimal = false;  // all single steps from it were tried; false: a limit ended the search
};

// `fails` is asked once for each problem; `cell` itself is known to fail. Only problems that keep
// the rules of ResolveProblem are asked for, all with the cell's io type and seed.
Shrunk Shrink(const Cell& cell, const std::function<bool(const Cell&)>& fails,
              const ShrinkLimits& limits);

// Whether `smaller` is `cell` with smaller or equal sizes and no feature that `cell` lacks: what
// Shrink may come to.
bool IsReduction(const Cell& smaller, const Cell& cell);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_SHRINK_H_
