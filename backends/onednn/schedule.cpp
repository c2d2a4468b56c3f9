// SPDX-License-Identifier: Apache-2.0
#include "schedule.h"

#include <algorithm>

#include "attest/sdpa.hpp"

namespace attest::onednn {
namespace {

constexpr int64_t kQueryRows = 128;
constexpr int64_t kKeySteps = 32;  // shapes of a causal problem, at most; each step wastes 1/64

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

int64_t RowsPerTask(const attest_problem& problem, unsigned threads) {
  const int64_t heads = problem.batch_size * problem.q_num_heads;
  // Smaller blocks where there would be too few tasks to balance.
  const int64_t wanted = (4 * threads + heads - 1) / heads;
  const int64_t length = problem.q_sequence_length;
  const int64_t blocks =
      std::max((length + kQueryRows - 1) / kQueryRows, std::min(wanted, (length + 31) / 32));
  return std::min(length, RoundUp((length + blocks - 1) / blocks, 16));
}

// The block of rows [first, first + rows), with the keys that any of them can see.
BlockShape ShapeOf(const attest_problem& problem, int64_t first, int64_t rows) {
  const int64_t length = problem.kv_sequence_length;
  int64_t end = 0;
  for (int64_t i = first; i < first + rows; ++i)
    end = std::max(end, VisibleKeys(problem, length, i).end);
  // With lengths per batch entry the offset, and so the span, is known only when the plan runs.
  if (problem.has_kv_lengths) end = length;
  const int64_t step = RoundUp((length + kKeySteps - 1) / kKeySteps, 64);
  return {rows, std::min(RoundUp(end, step), length)};
}

}  // namespace

Schedule::Schedule(const attest_problem& problem, unsigned threads) {
  const int64_t rows = RowsPerTask(problem, threads);
  for (int64_t first = 0; first < problem.q_sequence_length; first += rows) {
    const BlockShape shape =
        ShapeOf(problem, first, std::min(rows, problem.q_sequence_length - first));
    const auto found = std::find(shapes.begin(), shapes.end(), shape);
    const size_t index = found - shapes.begin();
    if (found == shapes.end()) shapes.push_back(shape);
    for (int64_t b = 0; b < problem.batch_size; ++b)
      for (int64_t h = 0; h < problem.q_num_heads; ++h)
        tasks.push_back({b, h, first, shape, index});
  }
  std::stable_sort(tasks.begin(), tasks.end(), [](const BlockTask& x, const BlockTask& y) {
    return x.shape.keys > y.shape.keys;
  });
}

}  // namespace attest::onednn
