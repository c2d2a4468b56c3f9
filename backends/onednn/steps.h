// SPDX-License-Identifier: Apache-2.0
//
// Blocks and steps of onednn:flash. Steps over keys begin at multiples of 64 and take multiples of
// 64 keys (32 where that saves much), or all that are left, so that there are few shapes and so few
// primitives.
#ifndef ATTEST_BACKENDS_ONEDNN_STEPS_H_
#define ATTEST_BACKENDS_ONEDNN_STEPS_H_

#include <cstdint>
#include <vector>

#include "attest/abi.h"
#include "attest/flash_tasks.hpp"
#include "schedule.h"

namespace attest::onednn {

inline constexpr int64_t kKeyAlign = 64;  // where steps, and what a part needs of one, begin

flash::BlockSizes FlashBlock(const attest_problem& problem, unsigned threads);

// Keys that are multiplied at once, of [first, end).
int64_t StepKeysOf(const attest_problem& problem, flash::BlockSizes block, int64_t first,
                   int64_t end);

// Every shape that a run may need, once.
struct StepShapes {
  StepShapes(const attest_problem& problem, flash::BlockSizes block);
  std::vector<BlockShape> blocks;
};

}  // namespace attest::onednn

#endif  // ATTEST_BACKENDS_ONEDNN_STEPS_H_
