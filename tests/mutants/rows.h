// SPDX-License-Identifier: Apache-2.0
//
// One row of the output: softmax over tiles of keys with a running maximum (two passes where a tile
// is all keys), in parts that are merged by their LSE, with the faults this can have. In f32, or
// f64. Not fast: scalar loops.
#ifndef ATTEST_TESTS_MUTANTS_ROWS_H_
#define ATTEST_TESTS_MUTANTS_ROWS_H_

#include <vector>

#include "scores.h"

namespace mutants {

template <typename Real>
class Rows {
 public:
  // Reads `operands` whenever it computes; they must outlive it.
  Rows(const attest_problem& problem, const Mutant& mutant, const Operands& operands);

  // The row's output, [v_head_size], valid until the next call.
  const std::vector<Real>& Compute(int64_t b, int64_t h, int64_t i);
  // Of the row that was computed last.
  Real Lse() const;

 private:
  struct State {
    Real max, sum;
    Real divided;              // what P was divided by before it was added up; sum counts the rest
    std::vector<Real> output;  // [v_head_size], sum of exp(score - max) v
  };
  void Clear(State& state) const;
  void Scan(const QueryRow& row, int64_t first, int64_t last);  // into part_
  void Step(const QueryRow& row, int64_t first, int64_t last);  // one tile of it
  void Rescale(State& state, Real max) const;
  void Exponentiate(int64_t first, int64_t last, Real max);  // scores_ become P
  void Multiply(const QueryRow& row, int64_t first, int64_t last);
  void Accumulate(Real p, const float* v);
  void AddPaddedTail();
  void Merge();  // part_ into whole_
  void Finish(const QueryRow& row);
  void ComputeOverQueries(const QueryRow& row);
  int64_t ValueRow(int64_t j) const;
  Real Exp(Real x) const;
  bool Has(Fault fault) const { return mutant_.fault == fault; }

  const attest_problem problem_;
  const Mutant& mutant_;
  const Operands& operands_;
  Scores<Real> scorer_;
  std::vector<Real> scores_;      // [Lk]
  std::vector<Real> query_sums_;  // [Lk], of the head in work: sums over its queries
  State whole_, part_;
  int64_t live_parts_ = 0;
};

}  // namespace mutants

#endif  // ATTEST_TESTS_MUTANTS_ROWS_H_
