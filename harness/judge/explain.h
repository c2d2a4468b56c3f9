// SPDX-License-Identifier: Apache-2.0
//
// What more can be said of a wrong result: where it deviates, which keys it weighs wrongly, which
// arithmetic would explain it. Its verdict stands already and is not touched.
#ifndef ATTEST_HARNESS_JUDGE_EXPLAIN_H_
#define ATTEST_HARNESS_JUDGE_EXPLAIN_H_

#include "harness/judge/contender.h"

namespace attest::judge {

// Of a failed result, once: works on the outputs that the last call left in memory, where
// entry.last_set says so, and calls again where not, for the exact probes, with one key, and to
// weigh keys. Fills the verification's inferred_contract and deviation, and adds the first to the
// reason. Of a suspicious result only what one key shows of its arithmetic. Throws nothing.
void Explain(const CellData& data, Entry& entry);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_EXPLAIN_H_
