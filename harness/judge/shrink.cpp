// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/shrink.h"

#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "harness/core/problem.h"

namespace attest::judge {
namespace {

using Problem = attest_problem;

// A size that can be made smaller. Two sizes that are equal shrink together first: many backends
// know no others.
struct Size {
  int64_t (*get)(const Problem&);  // 1: nothing to shrink
  void (*set)(Problem&, int64_t);
};

int64_t Group(const Problem& p) { return p.q_num_heads / p.kv_num_heads; }

// Lengths first: they cost the most.
constexpr Size kSizes[] = {
    {[](const Problem& p) {
       return p.q_sequence_length == p.kv_sequence_length ? p.q_sequence_length : 1;
     },
     [](Problem& p, int64_t n) { p.q_sequence_length = p.kv_sequence_length = n; }},
    {[](const Problem& p) { return p.q_sequence_length; },
     [](Problem& p, int64_t n) { p.q_sequence_length = n; }},
    {[](const Problem& p) { return p.kv_sequence_length; },
     [](Problem& p, int64_t n) { p.kv_sequence_length = n; }},
    {[](const Problem& p) { return p.batch_size; },
     [](Problem& p, int64_t n) { p.batch_size = n; }},
    {[](const Problem& p) { return p.kv_num_heads; },
     [](Problem& p, int64_t n) {
       const int64_t group = Group(p);
       p.kv_num_heads = n;
       p.q_num_heads = n * group;
     }},
    {Group, [](Problem& p, int64_t n) { p.q_num_heads = p.kv_num_heads * n; }},
    {[](const Problem& p) { return p.head_size == p.v_head_size ? p.head_size : 1; },
     [](Problem& p, int64_t n) { p.head_size = p.v_head_size = n; }},
    {[](const Problem& p) { return p.head_size; }, [](Problem& p, int64_t n) { p.head_size = n; }},
    {[](const Problem& p) { return p.v_head_size; },
     [](Problem& p, int64_t n) { p.v_head_size = n; }},
    {[](const Problem& p) { return p.op == ATTEST_OP_SELF_ATTENTION ? p.hidden_size : 1; },
     [](Problem& p, int64_t n) { p.hidden_size = n; }},
};

bool HasDefaultScale(const Problem& p) {
  return p.scale == 1 / std::sqrt(static_cast<double>(p.head_size));
}

// Takes one feature off.
using Drop = void (*)(Cell&);
constexpr Drop kDrops[] = {
    [](Cell& c) { c.data = "normal"; },
    [](Cell& c) { c.layout = Layout::kBnsh; },
    [](Cell& c) { c.problem.outputs = 0; },
    [](Cell& c) { c.problem.outputs &= ~ATTEST_OUTPUT_LSE; },
    [](Cell& c) { c.problem.outputs &= ~ATTEST_OUTPUT_WEIGHTS; },
    [](Cell& c) { c.problem.attn_mask = ATTEST_MASK_NONE, c.mask_shape = MaskShape::kShared; },
    [](Cell& c) { c.mask_shape = MaskShape::kShared; },
    [](Cell& c) { c.problem.has_kv_lengths = 0; },
    [](Cell& c) { c.problem.softcap = 0; },
    [](Cell& c) { c.problem.left_window_size = -1; },
    [](Cell& c) { c.problem.right_window_size = -1; },
    [](Cell& c) { c.problem.is_causal = 0, c.problem.causal_offset = 0; },
    [](Cell& c) { c.problem.causal_offset = 0; },
    [](Cell& c) { c.problem.scale = 0; },  // the default
    [](Cell& c) { c.problem.has_output_projection = 0; },
    [](Cell& c) { c.problem.has_bias = 0; },
    [](Cell& c) { c.problem.is_cross = 0; },
    [](Cell& c) { c.problem.structure = ATTEST_STRUCTURE_FULL; },
};

// Absent where the problem breaks a rule.
std::optional<Cell> Resolved(Cell cell) {
  try {
    ResolveProblem(cell.problem);
    return cell;
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

// What follows from a size follows it: the default scale, the offset of a bottom-right diagonal.
template <typename Change>
std::optional<Cell> Changed(Cell cell, Change&& change) {
  Problem& p = cell.problem;
  const bool bottom_right = CausalAlignment(p) == "bottom_right";
  const bool default_scale = HasDefaultScale(p);
  change(p);
  if (bottom_right) p.causal_offset = p.kv_sequence_length - p.q_sequence_length;
  if (default_scale) p.scale = 0;
  return Resolved(cell);
}

class Search {
 public:
  Search(const Cell& cell, const std::function<bool(const Cell&)>& fails,
         const ShrinkLimits& limits)
      : best_(cell), fails_(fails), limits_(limits) {
    known_[CellId(cell)] = true;
  }

  Shrunk Run() {
    // What shows on one element is found at once; else tries get cheap before lengths are searched.
    const auto one = [](Problem& p) { p.batch_size = p.q_num_heads = p.kv_num_heads = 1; };
    const auto narrow = [&](Problem& p) { one(p), p.head_size = p.v_head_size = 1; };
    Take(Changed(best_,
                 [&](Problem& p) { narrow(p), p.q_sequence_length = p.kv_sequence_length = 1; })) ||
        Take(Changed(best_, narrow)) || Take(Changed(best_, one));
    for (bool changed = true; changed && !out_;) {
      changed = false;
      for (const Size& size : kSizes) changed |= Minimise(size);
      for (const Drop drop : kDrops) {
        Cell cell = best_;
        drop(cell);
        changed |= Take(Resolved(cell));
      }
    }
    return {best_, tries_, !out_};
  }

 private:
  // Up from 1 by doubling, on both sides of a power of two, to the first that fails; then between
  // that and the last that passed.
  bool Minimise(const Size& size) {
    const int64_t from = size.get(best_.problem);
    int64_t passing = 0, failing = from;
    const Cell cell = best_;
    const auto fails = [&](int64_t n) {
      return Take(Changed(cell, [&](Problem& p) { size.set(p, n); }));
    };
    for (int64_t n = 1; n < failing && !out_; n = n < 3 ? n + 1 : 2 * n - 1) {
      if (fails(n))
        failing = n;
      else
        passing = n;
    }
    while (failing - passing > 1 && !out_) {
      const int64_t middle = passing + (failing - passing) / 2;
      (fails(middle) ? failing : passing) = middle;
    }
    return failing < from;
  }

  // Whether that one fails; then it is the best so far.
  bool Take(const std::optional<Cell>& cell) {
    if (!cell || CellId(*cell) == CellId(best_)) return false;
    const auto known = known_.find(CellId(*cell));
    if (known == known_.end() && IsOut()) return false;
    if (known == known_.end()) {
      ++tries_;
      known_[CellId(*cell)] = fails_(*cell);
    }
    const bool fails = known_[CellId(*cell)];
    if (fails) best_ = *cell;
    return fails;
  }

  bool IsOut() {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    out_ |= tries_ >= limits_.tries || elapsed.count() >= limits_.seconds;
    return out_;
  }

  Cell best_;
  const std::function<bool(const Cell&)>& fails_;
  ShrinkLimits limits_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::map<std::string, bool> known_;  // whether it fails, by id
  int tries_ = 0;
  bool out_ = false;  // of tries or time
};

}  // namespace

Shrunk Shrink(const Cell& cell, const std::function<bool(const Cell&)>& fails,
              const ShrinkLimits& limits) {
  return Search(cell, fails, limits).Run();
}

bool IsReduction(const Cell& smaller, const Cell& cell) {
  const Problem &a = smaller.problem, &b = cell.problem;
  const bool smaller_sizes = a.batch_size <= b.batch_size && a.kv_num_heads <= b.kv_num_heads &&
                             Group(a) <= Group(b) && a.q_sequence_length <= b.q_sequence_length &&
                             a.kv_sequence_length <= b.kv_sequence_length &&
                             a.head_size <= b.head_size && a.v_head_size <= b.v_head_size;
  const bool same_values = a.op == b.op && a.dtype == b.dtype && smaller.seed == cell.seed &&
                           (smaller.data == cell.data || smaller.data == "normal") &&
                           (smaller.layout == cell.layout || smaller.layout == Layout::kBnsh) &&
                           (a.scale == b.scale || HasDefaultScale(a)) &&
                           (a.outputs & ~b.outputs) == 0;
  const bool aligned =
      a.causal_offset == b.causal_offset || a.causal_offset == 0 ||
      (CausalAlignment(a) == "bottom_right" && CausalAlignment(b) == "bottom_right");
  const bool same_layer = a.hidden_size <= b.hidden_size && a.has_bias <= b.has_bias &&
                          a.has_output_projection <= b.has_output_projection &&
                          a.is_cross <= b.is_cross &&
                          (a.structure == b.structure || a.structure == ATTEST_STRUCTURE_FULL);
  return smaller_sizes && same_values && same_layer && (!a.is_causal || (b.is_causal && aligned)) &&
         (a.attn_mask == b.attn_mask || a.attn_mask == ATTEST_MASK_NONE) &&
         (smaller.mask_shape == cell.mask_shape || smaller.mask_shape == MaskShape::kShared) &&
         (a.softcap == b.softcap || a.softcap == 0) &&
         (a.left_window_size == b.left_window_size || a.left_window_size < 0) &&
         (a.right_window_size == b.right_window_size || a.right_window_size < 0) &&
         a.has_kv_lengths <= b.has_kv_lengths;
}

}  // namespace attest::judge
