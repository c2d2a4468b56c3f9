// SPDX-License-Identifier: Apache-2.0
//
// Which keys a wrong result weighs wrongly: the cell's own Q and K, and a V of ones and zeros whose
// column c is 1 for the keys of block c, so that an output is the weight of a block. Blocks are
// then taken apart until one key is left. Weights are compared with each other within a row: where
// one key is left out, all others grow by the same factor, and only that one is named.
#ifndef ATTEST_HARNESS_JUDGE_KEYS_H_
#define ATTEST_HARNESS_JUDGE_KEYS_H_

#include <functional>
#include <optional>
#include <string>

#include "harness/judge/compare.h"

namespace attest::judge {

// Computes OUT for other inputs of the same tensors; absent where that cannot be had.
using Compute = std::function<std::optional<attest_tensor>(const CellData& inputs)>;

struct WrongKeys {
  // "without key 196", "with wrong weights of keys from 64 on", "with hidden key 5 (in row 4)"; ""
  // where weights are right, differ all over, or cannot be told: V too narrow, or no call.
  std::string text;
  bool distinct = false;  // one key, or all from one on: no rounding does that
};

// Looks at `worst_row` (-1 = none known) and at rows around the edges of tiles. Differences of up
// to a hundredth of a weight are rounding and not looked at.
WrongKeys FindWrongKeys(const CellData& data, size_t rounding, int64_t worst_row,
                        const Compute& compute);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_KEYS_H_
