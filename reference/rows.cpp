// SPDX-License-Identifier: Apache-2.0
//
// Which rows to check when not all are affordable. Wrong kernels fail at tile edges, so those rows
// come first; the rest is spread by a hash, the same on every machine.
#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <vector>

#include "reference/oracle.h"

namespace attest::reference {
namespace {

// splitmix64 (Steele, Lea, Flood 2014): a bijection of 64-bit words that passes statistical tests.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

std::vector<int64_t> EdgeRows(int64_t length) {
  constexpr std::array<int64_t, 5> kTiles = {16, 32, 64, 128, 256};
  std::vector<int64_t> edges = {0, length - 1};
  for (const int64_t tile : kTiles) {
    for (const int64_t row : {tile - 1, tile}) {
      if (row < length - 1) edges.push_back(row);
    }
  }
  return edges;
}

}  // namespace

int64_t OutputHeads(const attest_problem& problem) {
  const bool mapped = problem.op == ATTEST_OP_SELF_ATTENTION && problem.has_output_projection != 0;
  return mapped ? 1 : problem.q_num_heads;
}

int64_t OutputColumns(const attest_problem& problem) {
  const bool mapped = problem.op == ATTEST_OP_SELF_ATTENTION && problem.has_output_projection != 0;
  return mapped ? problem.hidden_size : problem.v_head_size;
}

int64_t RowCount(const attest_problem& problem) {
  return problem.batch_size * OutputHeads(problem) * problem.q_sequence_length;
}

int64_t RowCost(const attest_problem& problem) {
  const int64_t pairs = problem.kv_sequence_length * (problem.head_size + problem.v_head_size);
  if (problem.op != ATTEST_OP_SELF_ATTENTION) return pairs;
  const int64_t heads = problem.q_num_heads / OutputHeads(problem);
  const int64_t map = problem.hidden_size * heads * problem.head_size;
  const int64_t output_map =
      problem.has_output_projection != 0 ? problem.hidden_size * heads * problem.v_head_size : 0;
  return heads * pairs + map + output_map;
}

std::vector<int64_t> SampleRows(const attest_problem& problem, int64_t count, uint64_t seed) {
  const int64_t total = RowCount(problem);
  const int64_t length = problem.q_sequence_length;
  const int64_t heads = problem.batch_size * OutputHeads(problem);
  std::vector<int64_t> rows;
  if (count >= total) {
    for (int64_t row = 0; row < total; ++row) rows.push_back(row);
    return rows;
  }
  const std::vector<int64_t> edges = EdgeRows(length);
  // Every edge at least once, each on the next head; further rounds take up to half of the rows.
  const int64_t rounds =
      std::clamp<int64_t>(count / 2 / std::ssize(edges), 1, std::max<int64_t>(1, heads));
  std::set<int64_t> chosen;
  auto head = static_cast<int64_t>(Mix(seed) % static_cast<uint64_t>(heads));
  for (int64_t round = 0; round < rounds; ++round) {
    for (const int64_t edge : edges) {
      chosen.insert(head * length + edge);
      head = (head + 1) % heads;
    }
  }
  for (uint64_t n = 0; std::ssize(chosen) < count; ++n) {
    chosen.insert(static_cast<int64_t>(Mix(Mix(seed) + n) % static_cast<uint64_t>(total)));
  }
  return {chosen.begin(), chosen.end()};
}

}  // namespace attest::reference
