// SPDX-License-Identifier: Apache-2.0
//
// Which keys a query sees: the rules of attest_problem, written for the oracle alone so that a
// mistake here and one in a backend are two mistakes.
#ifndef ATTEST_REFERENCE_MASK_H_
#define ATTEST_REFERENCE_MASK_H_

#include <cstdint>
#include <vector>

#include "attest/abi.h"
#include "reference/read.h"

namespace attest::reference {

// Keys [begin, end) that causality, windows and lengths leave; empty where begin >= end.
struct KeyRange {
  int64_t begin = 0;
  int64_t end = 0;
};

class Mask {
 public:
  // Keeps pointers into the tensors. Throws std::invalid_argument where MASK or KV_LENGTHS is
  // needed and missing, or a length lies outside [0, kv_sequence_length].
  Mask(const attest_problem& problem, Tensors tensors);

  KeyRange Range(int64_t b, int64_t i) const;

  // Applies the MASK tensor to scores[j - first], j in [first, last), last - first > 0: a boolean
  // 0 makes them -inf, an additive mask is added.
  void Apply(int64_t b, int64_t h, int64_t i, int64_t first, int64_t last, double* scores) const;

  // Number of keys in Range(b, i) that a boolean mask leaves.
  int64_t CountVisible(int64_t b, int64_t h, int64_t i) const;

  bool HasBias() const { return problem_.attn_mask == ATTEST_MASK_ADDITIVE; }
  // Whether all query heads see the same keys.
  bool SameForAllHeads() const;

 private:
  attest_problem problem_;
  const attest_tensor* mask_ = nullptr;
  std::vector<int64_t> lengths_;  // empty where the problem has none
};

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_MASK_H_
