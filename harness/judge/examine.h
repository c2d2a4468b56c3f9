// SPDX-License-Identifier: Apache-2.0
//
// Checked calls: a result is right, or it is not measured.
#ifndef ATTEST_HARNESS_JUDGE_EXAMINE_H_
#define ATTEST_HARNESS_JUDGE_EXAMINE_H_

#include "harness/judge/contender.h"

namespace attest::judge {

// Calls the prepared plan on both input sets with both poisons and both alignments, once more for the rerun
// check, then on every exact probe, and decides. Afterwards the entry is concluded unless it passed. Throws nothing that a worker causes.
void Examine(const CellData& data, Entry& entry);

// One output of a timed round against its set's answer: the same rules. False: the entry is concluded.
bool CheckTimedOutput(const CellData& data, Entry& entry, int set, int round);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_EXAMINE_H_
