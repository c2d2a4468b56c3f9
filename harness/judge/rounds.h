// SPDX-License-Identifier: Apache-2.0
//
// Paired rounds: in every round each verified result is measured once for a short time, in shuffled
// order, the others asleep, so that ratios within a round are free of the machine's drift.
#ifndef ATTEST_HARNESS_JUDGE_ROUNDS_H_
#define ATTEST_HARNESS_JUDGE_ROUNDS_H_

#include <string>
#include <vector>

#include "harness/judge/contender.h"

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

// Whether its calls are so slow, at the last cell's rate, that it gets few rounds of one call each.
bool HasFewRounds(const Settings& settings, const Contender& contender, const CellData& data);

// Measures all live entries; returns the seconds spent on checking, which are no part of measuring.
// Entries whose timed output is wrong or whose worker dies are concluded without a time.
double MeasureRounds(const Settings& settings, const Hooks& hooks, const CellData& data,
                     std::vector<Entry>& entries);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_ROUNDS_H_
