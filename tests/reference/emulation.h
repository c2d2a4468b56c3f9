// SPDX-License-Identifier: Apache-2.0
//
// Attention as real kernels compute it, with every rounding emulated: the algorithms that the bound
// must accept, and single faults that it must not. Sums are in float, then rounded further where
// the accumulation format is coarser.
#ifndef ATTEST_TESTS_REFERENCE_EMULATION_H_
#define ATTEST_TESTS_REFERENCE_EMULATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "attest/abi.h"
#include "case.h"

namespace attest::reference {

struct Algorithm {
  std::string name;
  int64_t tile = 1 << 30;        // keys of one step of the online softmax; a huge one is two-pass
  int64_t splits = 1;            // parts of the keys merged by LSE
  bool reversed = false;         // tiles from last to first
  bool base_two = false;         // exp2 with log2(e) in the scale
  bool root_scale = false;       // sqrt(scale) on both operands
  bool normalize_first = false;  // P = exp / l before the second product (needs one tile)
  int64_t lanes = 1;             // partial sums of a dot product
  // Faults.
  bool drop_last_key = false;
  double scale_factor = 1;
  int32_t accumulate = ATTEST_FORMAT_NONE;  // coarser than the contract says
};

struct EmulatedRow {
  std::vector<double> output;
  std::vector<double> weights;
  double lse = 0;
};

// The algorithms that are correct.
const std::vector<Algorithm>& HonestAlgorithms();

// Row i of query head h, computed under the contract's formats and stored in the io type.
EmulatedRow Emulate(const Case& c, const attest_contract& contract, const Algorithm& algorithm,
                    int64_t b, int64_t h, int64_t i);

}  // namespace attest::reference

#endif  // ATTEST_TESTS_REFERENCE_EMULATION_H_
