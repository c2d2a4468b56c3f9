// SPDX-License-Identifier: Apache-2.0
//
// The inputs of a problem, widened and dense: what kernels that ignore strides and io types read.
// Operand rounding and sqrt(scale) happen here.
#ifndef ATTEST_TESTS_MUTANTS_OPERANDS_H_
#define ATTEST_TESTS_MUTANTS_OPERANDS_H_

#include <cstdint>
#include <vector>

#include "attest/backend.hpp"
#include "mutant.h"

namespace mutants {

struct Operands {
  // Sizes everything, so that reading allocates nothing.
  Operands(const attest_problem& problem, const Mutant& mutant);
  void Read(attest::Tensors tensors);

  const float* Query(int64_t b, int64_t h, int64_t i) const;
  const float* Key(int64_t b, int64_t h, int64_t j) const;
  const float* Value(int64_t b, int64_t h, int64_t j) const;
  // The additive mask, or of a boolean one 1 = attend; 0 or 1 where there is none.
  float Bias(int64_t b, int64_t h, int64_t i, int64_t j) const;
  bool Attends(int64_t b, int64_t h, int64_t i, int64_t j) const;
  int64_t KvLength(int64_t b) const { return lengths_[b]; }

  static uint64_t BytesOf(const attest_problem& problem);

 private:
  float MaskValue(int64_t b, int64_t h, int64_t i, int64_t j) const;

  const attest_problem problem_;
  int32_t format_;  // that Q, K and V are rounded to
  float factor_;    // on Q and on K
  std::vector<float> q_, k_, v_, mask_;
  std::vector<int64_t> lengths_;
};

}  // namespace mutants

#endif  // ATTEST_TESTS_MUTANTS_OPERANDS_H_
