// SPDX-License-Identifier: Apache-2.0
//
// Calls beside the cell's own: a plan and buffers that exist only for them.
#ifndef ATTEST_HARNESS_JUDGE_SIDE_CALL_H_
#define ATTEST_HARNESS_JUDGE_SIDE_CALL_H_

#include <string>
#include <vector>

#include "harness/judge/contender.h"
#include "harness/judge/side_case.h"

namespace attest::judge {

struct SideOutput {
  std::string unsupported;  // why the variant does not do that problem; "" = it does
  std::string wrong;        // what it wrote or left unwritten that it should not have; "" = clean
  std::vector<double> out;  // [Lq, v_head_size]
  std::vector<double> lse;  // [Lq], where the problem asks for it
};

// One call of the contender on the side case. Throws WorkerLost, std::runtime_error with the
// status and message where the call fails otherwise.
SideOutput CallSide(const Contender& contender, const SideCase& side);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_SIDE_CALL_H_
