// SPDX-License-Identifier: Apache-2.0
//
// Small problems with their tensors for the oracle's tests, and the same answer by the shortest
// possible long double code. Values are kept as doubles that the io type holds exactly.
#ifndef ATTEST_TESTS_REFERENCE_CASE_H_
#define ATTEST_TESTS_REFERENCE_CASE_H_

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "attest/abi.h"

namespace attest::reference {

// sdpa f32, one batch entry, everything off, scale 1/sqrt(head_size).
attest_problem MakeProblem(int64_t heads, int64_t kv_heads, int64_t lq, int64_t lk, int64_t d,
                           int64_t dv);

// x rounded to nearest even in an ATTEST_FORMAT_* (no overflow; subnormals as in the format).
double RoundTo(double x, int32_t format);

// The data kinds that MakeCase knows.
const std::vector<std::string>& DataKinds();

struct NaiveRow {
  std::vector<long double> output;
  std::vector<long double> weights;
  long double lse = 0;
};

class Case {
 public:
  // Q, K, V of a kind; rows of all tensors are padded by `padding` elements of NaN.
  Case(const attest_problem& problem, const std::string& kind, uint64_t seed, int64_t padding = 0);

  // Adds a MASK, equal for all heads with stride 0 where `broadcast`: boolean with about 60 % ones,
  // additive with some -inf. The problem must say so.
  void AddMask(uint64_t seed, bool broadcast);
  void AddLengths(const std::vector<int64_t>& lengths);

  const attest_problem& Problem() const { return problem_; }
  std::vector<const attest_tensor*> Tensors() const;

  double Q(int64_t b, int64_t h, int64_t i, int64_t t) const;
  double K(int64_t b, int64_t h, int64_t j, int64_t t) const;  // h: query head
  double V(int64_t b, int64_t h, int64_t j, int64_t c) const;
  void Set(int32_t role, int64_t b, int64_t head, int64_t row, int64_t n, double value);
  bool IsVisible(int64_t b, int64_t h, int64_t i, int64_t j) const;
  double Bias(int64_t b, int64_t h, int64_t i, int64_t j) const;  // 0 where there is none

  NaiveRow Naive(int64_t b, int64_t h, int64_t i) const;

 private:
  struct Array {
    attest_tensor tensor{};
    std::vector<double> values;
    std::vector<uint8_t> bytes;
  };
  Array& Add(int32_t role, int32_t dtype, const std::vector<int64_t>& shape, int64_t padding);
  void Encode(Array& array, int64_t offset);
  void EncodeAll(Array& array);
  const Array* Find(int32_t role) const;
  double At(const Array& array, int64_t b, int64_t h, int64_t i, int64_t n) const;
  template <typename Value>
  void Fill(Array& array, Value value);

  attest_problem problem_;
  std::deque<Array> arrays_;
};

}  // namespace attest::reference

#endif  // ATTEST_TESTS_REFERENCE_CASE_H_
