// SPDX-License-Identifier: Apache-2.0
//
// Checks the problem, sorts its rows by the kv head they read, and shares them out to threads.
#include "reference/oracle.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cmath>
#include <deque>
#include <exception>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "reference/block.h"
#include "reference/mask.h"
#include "reference/pack.h"
#include "reference/read.h"
#include "reference/solve.h"

namespace attest::reference {
namespace {

// Rows of one batch entry that read the same kv head.
struct Group {
  int64_t b = 0;
  int64_t kv_head = 0;
  std::vector<Row> rows;
};

}  // namespace

void CheckSizes(const attest_problem& p) {
  const std::array<int64_t, 7> sizes = {p.batch_size,        p.q_num_heads,        p.kv_num_heads,
                                        p.q_sequence_length, p.kv_sequence_length, p.head_size,
                                        p.v_head_size};
  if (*std::min_element(sizes.begin(), sizes.end()) <= 0) {
    throw std::invalid_argument("every size of the problem must be above 0");
  }
  if (p.q_num_heads % p.kv_num_heads != 0) {
    throw std::invalid_argument("kv_num_heads must divide q_num_heads");
  }
  if (!std::isfinite(p.scale) || !(std::isfinite(p.softcap) && p.softcap >= 0)) {
    throw std::invalid_argument("scale and softcap must be finite, softcap not negative");
  }
}

namespace {

Inputs FindInputs(const attest_problem& p, Tensors tensors) {
  const std::array<int64_t, 4> q = {p.batch_size, p.q_num_heads, p.q_sequence_length, p.head_size};
  const std::array<int64_t, 4> k = {p.batch_size, p.kv_num_heads, p.kv_sequence_length,
                                    p.head_size};
  const std::array<int64_t, 4> v = {p.batch_size, p.kv_num_heads, p.kv_sequence_length,
                                    p.v_head_size};
  return {RequireTensor(tensors, ATTEST_ROLE_Q, p.dtype, q),
          RequireTensor(tensors, ATTEST_ROLE_K, p.dtype, k),
          RequireTensor(tensors, ATTEST_ROLE_V, p.dtype, v)};
}

std::vector<int64_t> WantedRows(const attest_problem& problem, const std::vector<int64_t>& asked) {
  std::vector<int64_t> rows = asked;
  const int64_t count = problem.batch_size * problem.q_num_heads * problem.q_sequence_length;
  if (rows.empty()) {
    for (int64_t row = 0; row < count; ++row) rows.push_back(row);
  }
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  if (rows.front() < 0 || rows.back() >= count) {
    throw std::invalid_argument("a row to check lies outside the problem");
  }
  return rows;
}

std::vector<Group> GroupRows(const attest_problem& p, const std::vector<int64_t>& rows) {
  std::vector<Group> groups;
  const int64_t sharing = p.q_num_heads / p.kv_num_heads;
  for (int64_t slot = 0; slot < std::ssize(rows); ++slot) {
    const int64_t head = rows[slot] / p.q_sequence_length;
    const int64_t b = head / p.q_num_heads;
    const int64_t h = head % p.q_num_heads;
    const int64_t kv_head = h / sharing;
    if (groups.empty() || groups.back().b != b || groups.back().kv_head != kv_head) {
      groups.push_back({b, kv_head, {}});
    }
    groups.back().rows.push_back({slot, h, rows[slot] % p.q_sequence_length});
  }
  // Neighbouring queries see much the same keys, so they share a block whatever their head.
  for (Group& group : groups) {
    std::stable_sort(group.rows.begin(), group.rows.end(),
                     [](const Row& a, const Row& b) { return a.i < b.i; });
  }
  return groups;
}

Answer MakeAnswer(const attest_problem& p, std::vector<int64_t> rows, size_t bounds) {
  const size_t count = rows.size();
  const size_t outputs = count * p.v_head_size;
  const size_t weights =
      (p.outputs & ATTEST_OUTPUT_WEIGHTS) != 0 ? count * p.kv_sequence_length : 0;
  Answer answer;
  answer.rows = std::move(rows);
  for (auto* column : {&answer.output, &answer.hull_min, &answer.hull_max}) column->resize(outputs);
  answer.lse.resize(count);
  answer.weights.resize(weights);
  answer.bounds.resize(bounds);
  for (Bound& bound : answer.bounds) {
    bound.output.resize(outputs);
    bound.probabilistic.resize(outputs);
    bound.lse.resize(count);
    bound.weights.resize(weights);
  }
  return answer;
}

// Threads that share one pack: they fill it together, then take blocks of rows from it.
struct Team {
  Team(int64_t size, const attest_problem& p, bool shifted)
      : pack(p.kv_sequence_length, p.head_size, p.v_head_size), barrier(size) {
    if (!shifted) return;
    certain.emplace(p.kv_sequence_length, 2 * p.head_size, p.v_head_size);
    likely.emplace(p.kv_sequence_length, 2 * p.head_size, p.v_head_size);
  }
  Pack pack;
  std::optional<Pack> certain, likely;  // of the shift
  std::barrier<> barrier;
  // Both count within a group and are set back while all wait at a barrier.
  std::atomic<int64_t> next_key_block{0};
  std::atomic<int64_t> next_row{0};
};

void SolveGroup(const Group& group, const Inputs& inputs, const Shift* shift, Team& team,
                BlockSolver& solver, int64_t rows_per_block) {
  for (int64_t block; (block = team.next_key_block++) < team.pack.Blocks();) {
    team.pack.LoadBlock(inputs.k, inputs.v, group.b, group.kv_head, block);
    if (shift == nullptr) continue;
    team.certain->LoadBlock(shift->k, shift->v, group.b, group.kv_head, block);
    team.likely->LoadBlock(shift->likely_k, shift->likely_v, group.b, group.kv_head, block);
  }
  team.next_row = 0;  // nobody takes rows before the barrier
  team.barrier.arrive_and_wait();
  const std::span<const Row> rows(group.rows);
  for (int64_t row; (row = team.next_row.fetch_add(rows_per_block)) < std::ssize(rows);) {
    const Packs packs{team.pack, shift != nullptr ? &*team.certain : nullptr,
                      shift != nullptr ? &*team.likely : nullptr};
    solver.Solve(packs, group.b,
                 rows.subspan(row, std::min<int64_t>(rows_per_block, std::ssize(rows) - row)));
  }
  team.next_key_block = 0;  // nobody takes key blocks before the barrier
  team.barrier.arrive_and_wait();
}

// Many groups: every thread solves whole groups on its own. Few: all work on one after another.
void SolveGroups(const Job& job, const Inputs& inputs, const std::vector<Group>& groups,
                 unsigned threads) {
  constexpr int64_t kGroupsPerThread = 4;  // so that the last ones leave little idle time
  const bool alone = std::ssize(groups) >= kGroupsPerThread * threads;
  std::deque<Team> teams;
  std::deque<BlockSolver> solvers;
  for (unsigned n = 0; n < threads; ++n) {
    if (alone || n == 0) teams.emplace_back(alone ? 1 : threads, job.problem, job.shift != nullptr);
    solvers.emplace_back(job);
  }
  const int64_t rows_per_block = BlockSolver::RowsPerBlock(job.problem.kv_sequence_length);
  std::atomic<size_t> next_group{0};
  const auto work = [&](unsigned n) {
    Team& team = alone ? teams[n] : teams[0];
    for (size_t g = alone ? next_group++ : 0; g < groups.size(); g = alone ? next_group++ : g + 1) {
      SolveGroup(groups[g], inputs, job.shift, team, solvers[n], rows_per_block);
    }
  };
  std::vector<std::jthread> others;
  for (unsigned n = 1; n < threads; ++n) others.emplace_back(work, n);
  work(0);
}

}  // namespace

Answer SolveSdpa(const attest_problem& problem, const Inputs& inputs, Tensors tensors,
                 const Options& options, const Shift* shift) {
  const Mask mask(problem, tensors);
  Answer answer = MakeAnswer(problem, WantedRows(problem, options.rows), options.roundings.size());
  const std::vector<Group> groups = GroupRows(problem, answer.rows);
  if (options.sensitivity && !options.roundings.empty()) {
    answer.sensitivity.resize(answer.output.size());
  }
  const Job job{problem, mask, inputs.q, options.roundings, answer, shift};
  SolveGroups(job, inputs, groups, std::max(1u, options.threads));
  return answer;
}

Answer ComputeSdpa(const attest_problem& problem, std::span<const attest_tensor* const> tensors,
                   const Options& options) {
  if (problem.op != ATTEST_OP_SDPA) {
    throw std::invalid_argument("the sdpa oracle was given operation " +
                                std::to_string(problem.op));
  }
  CheckSizes(problem);
  return SolveSdpa(problem, FindInputs(problem, tensors), tensors, options, nullptr);
}

Answer ComputeAnswer(const attest_problem& problem, std::span<const attest_tensor* const> tensors,
                     const Options& options) {
  return problem.op == ATTEST_OP_SELF_ATTENTION ? ComputeSelfAttention(problem, tensors, options)
                                                : ComputeSdpa(problem, tensors, options);
}

}  // namespace attest::reference
