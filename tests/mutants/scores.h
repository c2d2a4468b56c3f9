// SPDX-License-Identifier: Apache-2.0
//
// One score of one query and key, with the faults that scores can have. In f32, or f64 for the
// mutant whose answers are exact.
#ifndef ATTEST_TESTS_MUTANTS_SCORES_H_
#define ATTEST_TESTS_MUTANTS_SCORES_H_

#include "operands.h"

namespace mutants {

struct QueryRow {
  int64_t b = 0, h = 0, i = 0;
  int64_t kv_batch = 0, kv_head = 0;  // whose K and V it reads
};

template <typename Real>
class Scores {
 public:
  Scores(const attest_problem& problem, const Mutant& mutant, const Operands& operands);

  QueryRow RowOf(int64_t b, int64_t h, int64_t i) const;
  // -inf where a rule hides the key.
  Real Of(const QueryRow& row, int64_t j) const;

 private:
  bool Visible(const QueryRow& row, int64_t j) const;
  Real Dot(const float* q, const float* k) const;
  Real Bias(const QueryRow& row, int64_t j) const;
  Real Softcap(Real score) const;
  bool Has(Fault fault) const { return mutant_.fault == fault; }

  const attest_problem problem_;
  const Mutant& mutant_;
  const Operands& operands_;
  Real scale_;    // on the dot product
  int64_t size_;  // elements of it
};

}  // namespace mutants

#endif  // ATTEST_TESTS_MUTANTS_SCORES_H_
