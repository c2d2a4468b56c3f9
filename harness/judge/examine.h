// SPDX-License-Identifier: Apache-2.0
//
// Checked calls: a result is right, or it is not measured.
#ifndef ATTEST_HARNESS_JUDGE_EXAMINE_H_
#define ATTEST_HARNESS_JUDGE_EXAMINE_H_

#include "harness/judge/contender.h"

namespace attest::judge {

struct ExamineOptions {
  bool rounds_follow = false;  // the first timed round is the rerun
  bool every_check = false;    // go on after a failure, to learn which checks see it
};

// Calls the prepared plan on both input sets with both poisons and both alignments, where no timed
// rounds follow once more for the rerun check, then on every exact probe, and decides. Afterwards
// the entry is concluded unless it passed. Throws nothing that a worker causes.
void Examine(const CellData& data, Entry& entry, const ExamineOptions& options);

// One output of a timed round against its set's answer: the same rules, and in round 0 the rerun
// check. False: the entry is concluded.
bool CheckTimedOutput(const CellData& data, Entry& entry, int set, int round);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_EXAMINE_H_
