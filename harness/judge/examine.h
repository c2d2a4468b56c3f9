// SPDX-License-Identifier: Apache-2.0
//
// Checked calls: a result is right, or it is not measured.
#ifndef ATTEST_HARNESS_JUDGE_EXAMINE_H_
#define ATTEST_HARNESS_JUDGE_EXAMINE_H_

#include "harness/judge/contender.h"

namespace attest::judge {

// What comes after the examination, and takes the place of some of its calls.
enum class Follow {
  kNothing,
  kRounds,    // the first two are the rerun and the second set
  kFewRounds  // of calls so slow that the first one on set 0 is a round, too
};

struct ExamineOptions {
  Follow follow = Follow::kNothing;
  bool every_check = false;  // go on after a failure, to learn which checks see it
};

// Calls the prepared plan on both input sets with both poisons and both alignments, once more for
// the rerun check, and on every exact probe, less what follows, then on whatever else the cell's
// data holds: NaN at hidden keys, relations. Afterwards the entry is concluded unless all of it was
// right. Throws nothing that a worker causes.
void Examine(const CellData& data, Entry& entry, const ExamineOptions& options);

// One output of a timed round against its set's answer: the same rules, every figure where the set
// has none yet, and the rerun check. False: the entry is concluded.
bool CheckTimedOutput(const CellData& data, Entry& entry, int set, int round);

// The verdict of an entry that nothing was found against: skipped where it was stopped before every
// input set was judged and the rerun compared.
void Decide(const CellData& data, Entry& entry);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_EXAMINE_H_
