// SPDX-License-Identifier: Apache-2.0
//
// Metamorphic relations: what must come out where the inputs are changed in a way whose effect on
// attention is known, whatever the kernel. One head of the cell is computed alone; it must give
// what it gave within the batch, and answer changed inputs accordingly. Where a change is a power
// of two, to the bit; elsewhere within the sum of both calls' error bounds. They see what no single
// call shows: another path for other shapes, an argument that is ignored because it usually has
// the value that was built in, a shift or a size that only some values of Q, K or V provoke.
#ifndef ATTEST_HARNESS_JUDGE_RELATIONS_H_
#define ATTEST_HARNESS_JUDGE_RELATIONS_H_

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/judge/compare.h"
#include "harness/judge/side_call.h"

namespace attest::judge {

// A report::Check's.
struct Finding {
  std::string outcome;  // "pass", "fail" or "not_applicable"
  std::string detail;
};

// One contender at work on the relations of a cell.
struct Trial {
  const Contender& contender;
  const attest_contract& contract;
  const reference::Rounding& format;
  size_t rounding;                 // its number among the answers' bounds
  const SideCase& alone;           // the head by itself
  const std::vector<double>& out;  // what the contender makes of it, [Lq, v_head_size]

  bool is_deterministic() const { return (contract.flags & ATTEST_CONTRACT_NONDETERMINISTIC) == 0; }
};

class Relation {
 public:
  virtual ~Relation() = default;
  // Of the report's check: "key_permutation", ...
  virtual std::string_view name() const = 0;
  // How many calls of the head's size it takes.
  virtual int calls() const = 0;
  // Throws what CallSide throws.
  virtual Finding Check(const Trial& trial) const = 0;
};

struct CheckedRelation {
  std::string name;
  Finding finding;
};

class Relations {
 public:
  // `tensors`: the cell's inputs, with data. Throws std::system_error where memory is short.
  Relations(const Cell& cell, std::span<const attest_tensor* const> tensors,
            const SideOptions& options);

  // The head's rows of OUT as a call of the whole problem left it.
  std::vector<double> RowsOf(const attest_tensor& out) const;

  // All of them for one contender, alphabetical; `within` are its RowsOf. Throws WorkerLost.
  std::vector<CheckedRelation> Check(const Contender& contender, size_t rounding,
                                     const std::vector<double>& within) const;

  // Cost of Check in calls of the whole problem.
  double calls() const { return calls_; }

 private:
  Finding CheckIndependence(const Trial& trial, const std::vector<double>& within) const;

  attest_problem problem_;  // the cell's
  HeadProblem head_;
  std::vector<reference::Rounding> roundings_;
  SideCase alone_;
  std::vector<std::unique_ptr<Relation>> relations_;
  double calls_ = 0;
};

// Where |a - b| exceeds its tolerance, in words; "" = nowhere. a and b: [Lq, columns]; tolerance:
// [rows, columns]. NaN exceeds every tolerance.
std::string Deviation(const std::vector<int64_t>& rows, const std::vector<double>& a,
                      const std::vector<double>& b, const std::vector<double>& tolerance);

// What a side call's output is worth where it says more than numbers; absent: look at the numbers.
std::optional<Finding> Unusable(const SideOutput& output);

// Those of keys (relations_of_keys.cpp) and of powers of two (relations_of_scale.cpp).
std::unique_ptr<Relation> MakeKeyPermutation(const HeadProblem& head, const SideOptions& options);
std::unique_ptr<Relation> MakeKeyShift(const HeadProblem& head, const SideOptions& options);
std::unique_ptr<Relation> MakeKeySplit(const HeadProblem& head, const SideOptions& options);
std::unique_ptr<Relation> MakeQueryScaling(const HeadProblem& head);
std::unique_ptr<Relation> MakeValueScaling(const HeadProblem& head);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_RELATIONS_H_
