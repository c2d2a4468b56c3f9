// SPDX-License-Identifier: Apache-2.0
//
// Paired rounds: in every round each verified result is measured once for a short time, in shuffled
// order, the others asleep, so that ratios within a round are free of the machine's drift.
#ifndef ATTEST_HARNESS_JUDGE_ROUNDS_H_
#define ATTEST_HARNESS_JUDGE_ROUNDS_H_

#include <string>
#include <vector>

#include "harness/judge/contender.h"
#include "harness/judge/round_ceiling.h"

namespace attest::judge {

// How a result predicted to take `call_seconds` a call is measured under the settings.
struct Plan {
  int rounds = 0;           // 0: not at all
  uint64_t iterations = 1;  // calls a round
};
Plan PlanRounds(const Settings& settings, double call_seconds);

// Why a result is not even started: the prediction; "" = go on.
std::string PredictTooSlow(const Settings& settings, const Contender& contender,
                           const CellData& data);

// Takes note of the rate of a cell of so many unmasked FLOPs, if it is its best and says something
// of larger ones: below a millisecond it is the call's own cost that was seen, and a small cell may
// have been kept waiting by the machine.
void LearnRate(double call_seconds, double flops, Contender& contender);

// Whether its calls are so slow, at the best rate seen, that it gets few rounds of one call each.
bool HasFewRounds(const Settings& settings, const Contender& contender, const CellData& data);

// Fewer threads than the run's that use more CPUs say nothing of scaling (a driver may choose for
// itself): the sentence that says so; "" = they keep to what they were given.
std::string IgnoresThreads(const Settings& settings, unsigned threads,
                           const report::Timing& timing);

// Measures all live entries; returns the seconds spent on checking, which are no part of measuring.
// Entries whose timed output is wrong, whose worker dies or that ignore their threads are concluded
// without a time.
// `ceiling`, which was begun for the cell, is sampled in every round of a result on the CPU.
double MeasureRounds(const Settings& settings, const Hooks& hooks, const CellData& data,
                     std::vector<Entry>& entries, RoundCeiling& ceiling);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_ROUNDS_H_
