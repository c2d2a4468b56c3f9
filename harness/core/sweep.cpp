// SPDX-License-Identifier: Apache-2.0
//
// Blocks of axes and their product.
#include "harness/core/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "harness/core/axes.h"
#include "harness/core/words.h"

namespace attest {
namespace {

constexpr size_t kMostValues = 100000;  // cells; far more than anybody waits for

std::vector<std::string> ValuesOf(const Axis& axis, const std::string& text) {
  if (!axis.numbers) {
    std::vector<std::string> words = Split(text, ',');
    if (words.empty())
      throw std::invalid_argument(fmt::format("--{} needs a value", axis.info.name));
    return words;
  }
  std::vector<std::string> values;
  for (int64_t number : ParseNumbers(axis.info.name, text))
    values.push_back(std::to_string(number));
  return values;
}

void RequireKnownAxes(const Axes& axes) {
  std::vector<std::string> known;
  for (const Axis& axis : AxisTable()) known.push_back(axis.info.name);
  for (const auto& [name, text] : axes)
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw std::invalid_argument(UnknownWord("axis", name, known));
}

// An overridden axis takes along those that follow it: --seq 512 makes kv-len 512 whatever the
// block says.
Axes Override(Axes block, const Axes& overrides) {
  for (const Axis& axis : AxisTable())
    if (overrides.count(axis.follows) != 0) block.erase(axis.info.name);
  for (const auto& [name, text] : overrides) block[name] = text;
  return block;
}

// All cells of a block: the axes' values applied one axis after the other.
std::vector<Cell> ExpandBlock(const Axes& block, uint64_t seed) {
  Cell first;
  first.seed = seed;
  attest_problem& open = first.problem;
  open.kv_num_heads = open.kv_sequence_length = open.head_size = open.v_head_size = 0;
  std::vector<Cell> cells = {first};
  for (const Axis& axis : AxisTable()) {
    const auto given = block.find(axis.info.name);
    const std::string text = given == block.end() ? axis.default_value : given->second;
    if (text.empty() && given == block.end()) continue;
    const std::vector<std::string> values = ValuesOf(axis, text);
    if (values.size() * cells.size() > kMostValues)
      throw std::invalid_argument(fmt::format(
          "the sweep has more than {} cells: give --{} fewer values", kMostValues, axis.info.name));
    std::vector<Cell> more;
    for (const std::string& value : values)
      for (Cell cell : cells) {
        axis.apply(axis.info.name, value, cell);
        more.push_back(std::move(cell));
      }
    cells = std::move(more);
  }
  return cells;
}

double UnmaskedPairs(const Cell& cell) {
  const attest_problem& p = cell.problem;
  return static_cast<double>(p.batch_size * p.q_num_heads) *
         static_cast<double>(p.q_sequence_length) * static_cast<double>(p.kv_sequence_length);
}

}  // namespace

const std::vector<AxisInfo>& AllAxes() {
  static const std::vector<AxisInfo> infos = [] {
    std::vector<AxisInfo> all;
    for (const Axis& axis : AxisTable()) all.push_back(axis.info);
    return all;
  }();
  return infos;
}

std::vector<Cell> ExpandSweep(const std::vector<Axes>& blocks, const Axes& overrides,
                              uint64_t seed) {
  std::vector<Cell> sweep;
  std::set<std::string> seen;
  RequireKnownAxes(overrides);
  for (const Axes& block : blocks) {
    RequireKnownAxes(block);
    std::vector<Cell> cells = ExpandBlock(Override(block, overrides), seed);
    for (Cell& cell : cells) {
      CompleteSizes(cell.problem);
      ResolveProblem(cell.problem);
    }
    std::stable_sort(cells.begin(), cells.end(), [](const Cell& a, const Cell& b) {
      return UnmaskedPairs(a) < UnmaskedPairs(b);
    });
    for (Cell& cell : cells)
      if (seen.insert(CellId(cell)).second) sweep.push_back(std::move(cell));
  }
  return sweep;
}

}  // namespace attest
