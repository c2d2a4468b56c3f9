// SPDX-License-Identifier: Apache-2.0
//
// Attention in plain f32 loops, right in several ways and wrong in known ones, for tests of what
// the judge finds. Its mask rule is written from abi.h a third time.
#ifndef ATTEST_TESTS_JUDGE_PLANTED_ATTENTION_H_
#define ATTEST_TESTS_JUDGE_PLANTED_ATTENTION_H_

#include <vector>

#include "attest/abi.h"

namespace attest::judge {

enum class Algorithm {
  kTwoPass,
  kOnline16,
  kReversedOnline16,
  kExp2,
  kNormalisedFirst,
  kLowProbabilities
};

enum class Fault {
  kNone,
  kLastKeyDropped,
  kCausalStrict,
  kCausalLoose,
  kTopLeft,
  kWindowLoose,
  kTileTwice,
  kPaddedTail,
  kIndexWraps,
  kGqaModulo,
  kHeadsPermuted,
  kBatchZero,
  kLastDimensionDropped,
  kStaleMaximum,
  kNotRescaled,
  kLastTileSum,
  kTilesAveraged,
  kNoMaximum,
  kMaskInverted,
  kLengthsIgnored,
  kDeadRowMean,
  kRowCopied,
};

// Writes OUT. `tensors`: Q, K, V, then MASK and KV_LENGTHS where the problem has them, then OUT,
// all with data.
void Attend(const attest_problem& problem, const std::vector<attest_tensor>& tensors,
            Algorithm algorithm, Fault fault);

}  // namespace attest::judge

#endif  // ATTEST_TESTS_JUDGE_PLANTED_ATTENTION_H_
