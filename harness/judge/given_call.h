// SPDX-License-Identifier: Apache-2.0
//
// One contender on values that somebody gives: called, judged like any result, and its outputs
// kept, for whoever wants to look at them.
#ifndef ATTEST_HARNESS_JUDGE_GIVEN_CALL_H_
#define ATTEST_HARNESS_JUDGE_GIVEN_CALL_H_

#include <cstdint>
#include <map>
#include <vector>

#include "harness/core/cell.h"
#include "harness/core/given.h"
#include "harness/judge/contender.h"

namespace attest::judge {

struct GivenOutcome {
  report::Result result;  // verdict, reason, error statistics; no timing
  // Of each output role its elements, row-major without gaps; none where no call came to its end.
  // What a wrong result wrote is there, too.
  std::map<int32_t, std::vector<double>> outputs;
};

// `given` holds the cell's tensors as DescribeTensors gives them. Calls twice (the rerun check).
// Throws std::system_error or std::bad_alloc for memory; whatever the backend does is a verdict.
GivenOutcome CallGiven(Contender& contender, const Cell& cell, const Given& given,
                       unsigned threads);
// The same on the values of the cell's data kind and seed.
GivenOutcome CallCell(Contender& contender, const Cell& cell, unsigned threads);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_GIVEN_CALL_H_
