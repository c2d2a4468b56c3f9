// SPDX-License-Identifier: Apache-2.0
//
// Outputs against the reference: every number a verdict rests on. NaN fails every comparison here,
// by `ok = error <= bound`, and is found by bits.
#ifndef ATTEST_HARNESS_JUDGE_COMPARE_H_
#define ATTEST_HARNESS_JUDGE_COMPARE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "attest/abi.h"
#include "harness/judge/cell_data.h"
#include "harness/report/model.h"
#include "reference/oracle.h"

namespace attest::judge {

// An output as a call left it: `tensor.data` points into `buffer`, which was all poison before.
struct Output {
  attest_tensor tensor;
  const Buffer* buffer = nullptr;
};

struct Comparison {
  report::Verification figures;      // of OUT; checks not filled in
  int64_t elements = 0;              // of OUT, compared
  int64_t outside = 0;               // error > B, or NaN
  int64_t beyond_probabilistic = 0;  // Bp < error <= B
  std::string memory;   // what was written or left unwritten that should not be; "" = clean
  std::string failure;  // first reason to fail in LSE or WEIGHTS; "" = none
};

// The outputs of one call against the answer of its input set under rounding number `rounding`.
Comparison Compare(const CellData& data, int set, size_t rounding,
                   const std::vector<Output>& outputs, uint32_t poison);

// |z| of the errors' slope beyond it is no rounding (verification.md, section 4).
inline constexpr double kBiasLimit = 20;

// Whether OUT is within its bound, does not lean beyond kBiasLimit, and the memory of all outputs
// is clean, without any figures: for timed rounds, of which there are many. False with LSE or
// WEIGHTS among them, too: Compare has the last word.
bool IsRight(const CellData& data, int set, size_t rounding, const std::vector<Output>& outputs,
             uint32_t poison);

// Only whether bytes outside the tensor changed or elements still hold the poison: "" = clean.
// Covers every row, not just those with a reference.
std::string CheckMemory(const Output& output, uint32_t poison);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_COMPARE_H_
