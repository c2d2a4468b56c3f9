// SPDX-License-Identifier: Apache-2.0
//
// A row in long double, for problems whose io type is f64: there the oracle in double would be no
// better than what it judges. About a tenth as fast.
#ifndef ATTEST_REFERENCE_REFINE_H_
#define ATTEST_REFERENCE_REFINE_H_

#include <cstdint>

#include "attest/abi.h"
#include "reference/pack.h"

namespace attest::reference {

// One row over keys [first, last) of the pack; arrays are indexed by j - first.
struct RefinedRow {
  const double* q;     // [head_size], elements kQuad apart
  const double* bias;  // additive mask, or null
  int64_t first = 0;
  int64_t last = 0;
  double* score;   // in: -inf = masked; out: s
  double* raw;     // out: s0; may be `score`
  double* p;       // out
  double* output;  // out: [v_head_size]
  double maximum = 0;
  double sum = 0;
  double lse = 0;
};

// Replaces the double results of a row that sees at least one key. Allocates scratch.
void RefineRow(const attest_problem& problem, const Pack& pack, RefinedRow& row);

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_REFINE_H_
