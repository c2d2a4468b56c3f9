// SPDX-License-Identifier: Apache-2.0
//
// Keys in another order, all moved by one vector, or in two parts merged by their LSE: the answer
// stays, within the error bounds of the calls that are compared.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "harness/core/inputs.h"
#include "harness/judge/relations.h"
#include "harness/judge/visibility.h"

#ifdef __FAST_MATH__
#error "the verifier must not be compiled with fast-math: NaN and rounding are its business"
#endif

namespace attest::judge {
namespace {

constexpr uint64_t kSeed = 131;

// Keys that causality and windows show to every row: their order means nothing.
KeyRange CommonKeys(const attest_problem& problem) {
  attest_problem positions = problem;
  positions.attn_mask = ATTEST_MASK_NONE;
  const Visibility visibility(positions, {});
  const KeyRange top = visibility.RangeOf(0, 0);
  const KeyRange bottom = visibility.RangeOf(0, problem.q_sequence_length - 1);
  return {std::max(top.first, bottom.first), std::min(top.last, bottom.last)};
}

// order[j]: the key that comes to place j; others than `range` stay.
std::vector<int64_t> Shuffle(int64_t keys, const KeyRange& range) {
  std::vector<int64_t> order(static_cast<size_t>(keys));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t j = range.last - 1; j > range.first; --j) {
    const auto choices = static_cast<uint64_t>(j - range.first + 1);
    const auto other =
        range.first + static_cast<int64_t>(HashBits(kSeed, 0, static_cast<uint64_t>(j)) % choices);
    std::swap(order[static_cast<size_t>(j)], order[static_cast<size_t>(other)]);
  }
  return order;
}

// Entry j of each of the groups of `order.size()` entries of `width` values becomes order[j].
void Reorder(std::vector<double>& values, const std::vector<int64_t>& order, int64_t width) {
  const std::vector<double> before = values;
  const auto keys = static_cast<int64_t>(order.size());
  for (int64_t at = 0; at < static_cast<int64_t>(values.size()); ++at) {
    const int64_t group = at / (keys * width), j = at / width % keys;
    values[static_cast<size_t>(at)] = before[static_cast<size_t>(
        (group * keys + order[static_cast<size_t>(j)]) * width + at % width)];
  }
}

std::vector<double> Sum(std::vector<double> a, const std::vector<double>& b) {
  for (size_t n = 0; n < a.size(); ++n) a[n] += b[n];
  return a;
}

Finding Found(const std::string& what, const std::string& deviation) {
  if (deviation.empty()) return {"pass", what};
  return {"fail", fmt::format("{}: {}", what, deviation)};
}

class KeyPermutation : public Relation {
 public:
  KeyPermutation(const HeadProblem& head, const SideOptions& options)
      : range_(CommonKeys(head.problem)) {
    if (range_.size() < 2) return;
    HeadProblem changed = head;
    const std::vector<int64_t> order = Shuffle(head.keys(), range_);
    Reorder(changed.k, order, head.problem.head_size);
    Reorder(changed.v, order, head.problem.v_head_size);
    Reorder(changed.mask, order, 1);
    case_ = MakeSideCase(changed, options);
  }
  std::string_view name() const override { return "key_permutation"; }
  int calls() const override { return range_.size() < 2 ? 0 : 1; }

  Finding Check(const Trial& trial) const override {
    if (range_.size() < 2)
      return {"not_applicable", "no two keys are in the range of every row: their order matters"};
    const SideOutput output = CallSide(trial.contender, case_);
    if (const auto unusable = Unusable(output)) return *unusable;
    return Found(fmt::format("{} keys in another order", range_.size()),
                 Deviation(trial.alone.answer.rows, output.out, trial.out,
                           Sum(case_.answer.bounds.at(trial.rounding).output,
                               trial.alone.answer.bounds.at(trial.rounding).output)));
  }

 private:
  KeyRange range_;
  SideCase case_;
};

// k_j + w moves all scores of a row alike, if k_j + w is exact. So K is first rounded to a grid
// that holds both, then computed with and without w, which points along the first query.
class KeyShift : public Relation {
 public:
  KeyShift(const HeadProblem& head, const SideOptions& options) {
    double largest = 0;
    for (double value : head.k) largest = std::max(largest, std::fabs(value));
    const double top = std::exp2(std::ceil(std::log2(2 * largest)));
    if (head.problem.softcap > 0) reason_ = "softcap bends a shift of the scores";
    const bool half = head.problem.dtype == ATTEST_F16;  // whose least number is 2^-24
    if (!(top >= (half ? 0x1p-13 : 0x1p-90)) || !(top < (half ? 0x1p15 : 0x1p100)))
      reason_ = "K is too small or too large to be moved exactly";
    if (!reason_.empty()) return;
    const double grid = top * std::exp2(-Digits(head.problem.dtype));
    HeadProblem changed = head;
    for (double& value : changed.k) value = grid * std::nearbyint(value / grid);
    here_ = MakeSideCase(changed, options);
    const int64_t size = head.problem.head_size;
    for (size_t n = 0; n < changed.k.size(); ++n)
      changed.k[n] += std::copysign(grid * std::nearbyint(largest / 2 / grid),
                                    head.q[n % static_cast<size_t>(size)]);
    moved_ = MakeSideCase(changed, options);
  }
  std::string_view name() const override { return "key_shift"; }
  int calls() const override { return reason_.empty() ? 2 : 0; }

  Finding Check(const Trial& trial) const override {
    if (!reason_.empty()) return {"not_applicable", reason_};
    const SideOutput here = CallSide(trial.contender, here_);
    if (const auto unusable = Unusable(here)) return *unusable;
    const SideOutput moved = CallSide(trial.contender, moved_);
    if (const auto unusable = Unusable(moved)) return *unusable;
    return Found("one vector added to all keys",
                 Deviation(here_.answer.rows, moved.out, here.out,
                           Sum(here_.answer.bounds.at(trial.rounding).output,
                               moved_.answer.bounds.at(trial.rounding).output)));
  }

 private:
  static double Digits(int32_t dtype) {
    return dtype == ATTEST_F64 ? 53 : dtype == ATTEST_F32 ? 24 : dtype == ATTEST_F16 ? 11 : 8;
  }
  std::string reason_;
  SideCase here_, moved_;
};

class KeySplit : public Relation {
 public:
  KeySplit(const HeadProblem& head, const SideOptions& options)
      : keys_(head.keys()), columns_(static_cast<size_t>(head.problem.v_head_size)) {
    if (keys_ < 2) return;
    const int64_t middle = keys_ / 2;
    first_ = MakeSideCase(TakeKeys(head, 0, middle), options);
    second_ = MakeSideCase(TakeKeys(head, middle, keys_), options);
  }
  std::string_view name() const override { return "key_split"; }
  int calls() const override { return keys_ < 2 ? 0 : 1; }  // two of half the size

  Finding Check(const Trial& trial) const override {
    if (keys_ < 2) return {"not_applicable", "there is one key"};
    const SideOutput first = CallSide(trial.contender, first_);
    if (const auto unusable = Unusable(first)) return *unusable;
    const SideOutput second = CallSide(trial.contender, second_);
    if (const auto unusable = Unusable(second)) return *unusable;
    std::vector<double> merged(first.out.size());
    for (size_t row = 0; row < first.lse.size(); ++row) {
      const double share = ShareOfFirst(first.lse[row], second.lse[row]);
      for (size_t c = 0; c < columns_; ++c) {
        const size_t at = row * columns_ + c;
        merged[at] = share * first.out[at] + (1 - share) * second.out[at];
      }
    }
    return Found(fmt::format("keys in two parts, merged by their LSE"),
                 Deviation(first_.answer.rows, merged, trial.out, Tolerance(trial)));
  }

 private:
  static double ShareOfFirst(double first, double second) {
    if (first == -INFINITY && second == -INFINITY) return 0.5;  // of a dead row: both are 0
    return 1 / (1 + std::exp(second - first));
  }

  // The merged row errs by what the parts err, and where their LSE do, by a shift of weight from
  // one to the other: the logistic function's slope is at most p (1 - p) e^D within D.
  std::vector<double> Tolerance(const Trial& trial) const {
    const reference::Bound& a = first_.answer.bounds.at(trial.rounding);
    const reference::Bound& b = second_.answer.bounds.at(trial.rounding);
    std::vector<double> tolerance = trial.alone.answer.bounds.at(trial.rounding).output;
    for (size_t slot = 0; slot < tolerance.size(); ++slot) {
      const size_t row = slot / columns_;
      const double share = ShareOfFirst(first_.answer.lse[row], second_.answer.lse[row]);
      const double off = a.lse[row] + b.lse[row];
      const double moved =
          share > 0 && share < 1 ? std::min(1.0, share * (1 - share) * std::exp(off) * off) : 0;
      const double apart = std::fabs(first_.answer.output[slot] - second_.answer.output[slot]);
      tolerance[slot] +=
          (share + moved) * a.output[slot] + (1 - share + moved) * b.output[slot] + moved * apart;
    }
    return tolerance;
  }

  int64_t keys_;
  size_t columns_;
  SideCase first_, second_;
};

}  // namespace

std::unique_ptr<Relation> MakeKeyPermutation(const HeadProblem& head, const SideOptions& options) {
  return std::make_unique<KeyPermutation>(head, options);
}

std::unique_ptr<Relation> MakeKeyShift(const HeadProblem& head, const SideOptions& options) {
  return std::make_unique<KeyShift>(head, options);
}

std::unique_ptr<Relation> MakeKeySplit(const HeadProblem& head, const SideOptions& options) {
  return std::make_unique<KeySplit>(head, options);
}

}  // namespace attest::judge
