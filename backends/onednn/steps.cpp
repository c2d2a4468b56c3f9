// SPDX-License-Identifier: Apache-2.0
#include "steps.h"

#include <algorithm>
#include <set>

#include "attest/softmax_row.hpp"

namespace attest::onednn {
namespace {

// Whether rows of one batch entry see different keys, before masks.
bool RowsDiffer(const attest_problem& problem) {
  return problem.is_causal || problem.left_window_size >= 0 || problem.right_window_size >= 0;
}

// Steps of keys, and rows of a part where rows differ: on the diagonal of a causal mask, a step
// of 64 computes 0.75 of 128 x 128 scores and one of 32 0.63.
int64_t KeyStep(const attest_problem& problem) {
  return RowsDiffer(problem) && problem.kv_sequence_length <= 384 ? 32 : kKeyAlign;
}

// Keys of whole steps and of what is left of one behind any start. Where no rule but the length
// ends a span these are two numbers.
std::set<int64_t> KeysOfSteps(const attest_problem& problem, flash::BlockSizes block) {
  const int64_t length = problem.kv_sequence_length;
  const int64_t step = KeyStep(problem);
  const bool spans_differ = RowsDiffer(problem) || problem.has_kv_lengths;
  std::set<int64_t> keys;
  for (int64_t first = 0, count; first < length; first += spans_differ ? step : count) {
    keys.insert(count = StepKeysOf(problem, block, first, length));
    if (spans_differ) keys.insert(StepKeysOf(problem, block, 0, first + 1));
  }
  return keys;
}

// Rows of blocks and of what parts of them can be multiplied together.
std::set<int64_t> RowsOfBlocks(const attest_problem& problem, flash::BlockSizes block) {
  std::set<int64_t> rows;
  for (const flash::Task& task : flash::MakeTasks(problem, block))
    for (int64_t row = 0; row < task.count; row += block.rows) {
      const int64_t count = std::min(block.rows, task.count - row);
      rows.insert(count);
      for (int64_t part = 1; part < block.parts_per_block(); ++part) {
        rows.insert(std::min(count, part * block.part_rows));
        if (part * block.part_rows < count) rows.insert(count - part * block.part_rows);
      }
    }
  return rows;
}

}  // namespace

// S takes 256 KiB, Q and O of a task at most 1 MiB, to stay in L2 together. On a Xeon with AVX-512
// and one thread, L = 2048: 128 x 512 gave 176 GFLOP/s with head size 64 and 190 with 128; 128 x
// 384, 192 x 384 and 256 x 384 were within 3 %, 256 x 256 and less keys 1 to 6 % slower; one block
// a task 4 to 10 % slower. Where there are only 160 or 197 keys, 256 rows are 2 to 8 % faster than
// 128. Causal, on an EPYC with two threads: parts of 64 rows are 1 to 6 % faster than none; parts
// of 32 and keys in steps of 32 are 9 to 13 % faster still at L = 128, 5 to 11 up to 320, 2 at 512
// (bf16: 7 % to 1 % faster, 5 % slower at 512), 2 % slower at 2048; 16 are no faster. oneDNN takes
// the columns behind the last whole vector by themselves: P V with 40 columns is 1.16 times as slow
// as with 48.
flash::BlockSizes FlashBlock(const attest_problem& problem, unsigned threads) {
  const int64_t task_rows = 128 * 2048 / (problem.head_size + problem.v_head_size);
  const int64_t rows = problem.kv_sequence_length <= 256 ? 256 : 128;
  flash::BlockSizes most{rows, 512, std::clamp<int64_t>(task_rows / rows, 1, 1024 / rows)};
  if (RowsDiffer(problem)) most.part_rows = KeyStep(problem);
  most.out_columns = (problem.v_head_size + kLanes - 1) / kLanes * kLanes;
  return flash::BlockSizesFor(problem, threads, most);
}

int64_t StepKeysOf(const attest_problem& problem, flash::BlockSizes block, int64_t first,
                   int64_t end) {
  const int64_t step = KeyStep(problem);
  const int64_t wanted = (end - first + step - 1) / step * step;
  return std::min({wanted, block.keys, problem.kv_sequence_length - first});
}

StepShapes::StepShapes(const attest_problem& problem, flash::BlockSizes block) {
  for (const int64_t keys : KeysOfSteps(problem, block))
    for (const int64_t rows : RowsOfBlocks(problem, block)) blocks.push_back({rows, keys});
}

}  // namespace attest::onednn
