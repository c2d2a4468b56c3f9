// SPDX-License-Identifier: Apache-2.0
//
// NaN where nobody may look: in K and V at keys that no row of any head reading them sees. Whether
// it reaches the output is a property of a variant: 0 x NaN leaks from every unfused product. It is
// a fault only where the contract says that it does not (ATTEST_CONTRACT_MASKED_NAN_SAFE).
#ifndef ATTEST_HARNESS_JUDGE_MASKED_NAN_H_
#define ATTEST_HARNESS_JUDGE_MASKED_NAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "harness/judge/compare.h"

namespace attest::judge {

// Adds to data.inputs K and V of set 0 with NaN planted, as set MaskedNan::kSet, and notes it in
// data.masked_nan, or why there is nowhere to plant. Throws std::system_error where memory is
// short.
void PlantMaskedNan(CellData& data);

// What of a call on that set shows that the hidden keys were looked at, in words: NaN, or values
// beyond the bound. "" = nothing does.
std::string LeakOf(const CellData& data, size_t rounding, const std::vector<Output>& outputs,
                   uint32_t poison);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_MASKED_NAN_H_
