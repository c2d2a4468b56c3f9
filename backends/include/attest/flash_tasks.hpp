// SPDX-License-Identifier: Apache-2.0
//
// How flash.hpp cuts a problem: into tasks of stacked query rows, blocks of a task, parts of a
// block.
#ifndef ATTEST_FLASH_TASKS_HPP_
#define ATTEST_FLASH_TASKS_HPP_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "attest/abi.h"
#include "attest/sdpa.hpp"

namespace attest::flash {

// S is computed in blocks of rows x keys. A task is a number of such blocks, one below the other,
// that use a step of keys together, so that what the library does to K and V before it multiplies
// is done once for all of them. A block consists of parts: those that need the same keys of a step
// are multiplied together, others with less keys by themselves, as on the diagonal of a causal
// mask.
struct BlockSizes {
  int64_t rows;  // of the stacked query rows of a kv head
  int64_t keys;
  int64_t blocks_per_task = 1;
  int64_t part_rows = std::numeric_limits<int32_t>::max();  // BlockSizesFor: at most the rows
  int64_t out_columns = 0;  // of O and V in products, at least v_head_size; 0: v_head_size

  int64_t parts_per_block() const { return (rows + part_rows - 1) / part_rows; }
  int64_t task_rows() const { return rows * blocks_per_task; }
};

// Query heads that read one kv head, and their rows together.
inline int64_t GroupOf(const attest_problem& problem) {
  return problem.q_num_heads / problem.kv_num_heads;
}
inline int64_t StackedRows(const attest_problem& problem) {
  return GroupOf(problem) * problem.q_sequence_length;
}

// At most `most` of each; smaller tasks where there would be too few to keep the threads busy, down
// to 32 rows.
inline BlockSizes BlockSizesFor(const attest_problem& problem, unsigned threads, BlockSizes most) {
  const int64_t stacked = StackedRows(problem);
  const int64_t heads = problem.batch_size * problem.kv_num_heads;
  const int64_t wanted = (4 * threads + heads - 1) / heads;  // tasks of a head, to be in balance
  const int64_t tasks = std::max((stacked + most.task_rows() - 1) / most.task_rows(),
                                 std::min(wanted, (stacked + 31) / 32));
  const int64_t task_rows = (stacked + tasks - 1) / tasks;
  const int64_t blocks = (task_rows + most.rows - 1) / most.rows;
  const int64_t rows = std::min(stacked, ((task_rows + blocks - 1) / blocks + 3) / 4 * 4);
  return {rows, std::min(most.keys, problem.kv_sequence_length), blocks,
          std::min(rows, most.part_rows), std::max(most.out_columns, problem.v_head_size)};
}

// Rows [first, first + count) of the stacked rows (head in group * Lq + i) of one kv head.
struct Task {
  int64_t b;
  int64_t kv_head;
  int64_t first;
  int64_t count;
  KeySpan keys;  // what its rows see together, before lengths per batch entry
};

inline KeySpan Together(KeySpan x, KeySpan y) {
  if (x.begin == x.end) return y;
  if (y.begin == y.end) return x;
  return {std::min(x.begin, y.begin), std::max(x.end, y.end)};
}

// All tasks, the longest first, so that the last ones to finish are short.
inline std::vector<Task> MakeTasks(const attest_problem& problem, BlockSizes block) {
  std::vector<Task> tasks;
  const int64_t rows = block.task_rows();
  for (int64_t first = 0; first < StackedRows(problem); first += rows) {
    Task task{0, 0, first, std::min(rows, StackedRows(problem) - first), {0, 0}};
    for (int64_t row = first; row < first + task.count; ++row)
      task.keys = Together(task.keys, VisibleKeys(problem, problem.kv_sequence_length,
                                                  row % problem.q_sequence_length));
    for (task.b = 0; task.b < problem.batch_size; ++task.b)
      for (task.kv_head = 0; task.kv_head < problem.kv_num_heads; ++task.kv_head)
        tasks.push_back(task);
  }
  std::stable_sort(tasks.begin(), tasks.end(), [](const Task& x, const Task& y) {
    return x.keys.end - x.keys.begin > y.keys.end - y.keys.begin;
  });
  return tasks;
}

}  // namespace attest::flash

#endif  // ATTEST_FLASH_TASKS_HPP_
