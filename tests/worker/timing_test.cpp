// SPDX-License-Identifier: Apache-2.0
//
// The timing loop by itself: it counts, it averages, and it lets exceptions through.
#include "harness/worker/timing.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace attest::worker {
namespace {

TEST(Timing, CallsEachIndexOnce) {
  std::vector<uint64_t> seen;
  const Timing timing = TimeCalls(5, [&](uint64_t index) {
    seen.push_back(index);
    return 0.001 * static_cast<double>(index + 1);
  });
  EXPECT_EQ(seen, (std::vector<uint64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(timing.iterations, 5u);
  EXPECT_DOUBLE_EQ(timing.mean_seconds, 0.003);
  EXPECT_DOUBLE_EQ(timing.min_seconds, 0.001);
  EXPECT_DOUBLE_EQ(timing.max_seconds, 0.005);
}

TEST(Timing, RunsHundredsOfRoundsInOneProcess) {
  uint64_t calls = 0;
  for (int round = 0; round < 300; ++round)
    (void)TimeCalls(2, [&](uint64_t) {
      ++calls;
      return 1e-6;
    });
  EXPECT_EQ(calls, 600u);
}

TEST(Timing, AnExceptionEndsTheRound) {
  uint64_t calls = 0;
  const auto fails = [&](uint64_t index) -> double {
    ++calls;
    if (index == 2) throw std::runtime_error("on purpose");
    return 1e-6;
  };
  EXPECT_THROW((void)TimeCalls(10, fails), std::runtime_error);
  EXPECT_EQ(calls, 3u);
  EXPECT_EQ(TimeCalls(1, [](uint64_t) { return 1e-6; }).iterations, 1u);
}

}  // namespace
}  // namespace attest::worker
