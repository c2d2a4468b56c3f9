// SPDX-License-Identifier: Apache-2.0
//
// What the plugins of this folder are: one row of the table for each, saying how it computes, what
// is wrong with it, and where and by which check that must be found. The kill matrix reads the same
// table.
#ifndef ATTEST_TESTS_MUTANTS_MUTANT_H_
#define ATTEST_TESTS_MUTANTS_MUTANT_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "attest/abi.h"

namespace mutants {

enum class Fault {
  kNone,
  // Scores.
  kNoScale,
  kScaleOfPaddedHead,
  kScaleOnePercentOff,
  kScaleIgnored,
  kLastDimensionDropped,
  kSoftcapOmitted,
  kSoftcapAfterMask,
  // Which keys a query sees.
  kCausalStrict,
  kCausalLoose,
  kCausalTopLeft,
  kCausalByFourRows,
  kWindowOffByOne,
  kLastKeyDropped,
  kZeroPaddedTail,
  kMaskInverted,
  kMaskOfNextBatch,
  kBiasScaled,
  kBiasOfNextHead,
  kBiasNegated,
  kHiddenByMinus10,
  kHiddenByMinus10000,
  // Which rows are read.
  kEdgeKeyTwice,
  kTilesSwapped,
  kIndexWraps,
  kHeadsModulo,
  kHeadsPermuted,
  kFirstBatchForAll,
  kSingleHeadInBf16,
  // Softmax.
  kSoftmaxOverQueries,
  kNoMaximum,
  kStaleMaximum,
  kOutputNotRescaled,
  kSumNotRescaled,
  kSumOfLastTile,
  kTilesAveraged,
  kSumPlusThousandth,
  kCoarseExp,
  kFlushedExp,
  kDeadRowIsMean,
  kDeadRowIsNan,
  kMaskedNanLeaks,
  kLseWithoutMaximum,
  // Arithmetic other than the contract says.
  kBf16Scores,
  kBf16Output,
  kF16Output,
  kHiddenTf32,
  kHiddenBf16,
  kTruncated,
  // What is written, and when.
  kPartialTileUnwritten,
  kNothingWritten,
  kOneElementOff,
  kRowCopied,
  kWritesPastEnd,
  kWritesGaps,
  kWritesKeys,
  kNondeterministicRow,
  kShapeCache,
  kSilentFallback,
  kReturnsEarly,
  // The layer around it.
  kKeysForValues,
  kBiasForgotten,
  kWeightNotTransposed,
  kHeadsInterleaved,
  kScaleOfHidden,
  kValuesOfQueries
};

// How the answer is computed; every combination is a correct algorithm.
struct Algorithm {
  int64_t tile = 16;             // keys between two looks at the running maximum; 0 = all of them
  int64_t splits = 1;            // parts of the keys, merged by their LSE
  bool reversed = false;         // tiles from the last to the first
  bool exp2 = false;             // powers of 2, log2(e) multiplied into the scores
  bool sqrt_scale = false;       // sqrt(|scale|) on Q and on K instead of scale on the score
  bool partial_sums = false;     // dot products in eight sums, as SIMD lanes do
  bool normalize_first = false;  // P divided by its sum before the second product
  int32_t operands = ATTEST_FORMAT_NONE;  // of Q, K and V; the contract's field, as those below
  int32_t scores = ATTEST_FORMAT_NONE;
  int32_t probabilities = ATTEST_FORMAT_NONE;
};

struct Mutant {
  const char* name;  // of the plugin; "ok_..." is correct
  Fault fault;
  const char* cells;   // where the fault can show: a group of kill_matrix.cpp, "" for correct ones
  const char* checks;  // of which at least one must find it, '|'-separated
  const char* what;    // is wrong, or how it computes
  Algorithm algorithm;
};

std::span<const Mutant> AllMutants();
// Throws std::invalid_argument for an unknown name.
const Mutant& FindMutant(std::string_view name);

}  // namespace mutants

#endif  // ATTEST_TESTS_MUTANTS_MUTANT_H_
