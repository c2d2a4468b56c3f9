// SPDX-License-Identifier: Apache-2.0
//
// Q, K and V of a self-attention layer in double precision, and how far a backend's own may be from
// them under a rounding.
#ifndef ATTEST_REFERENCE_PROJECTION_H_
#define ATTEST_REFERENCE_PROJECTION_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "attest/abi.h"
#include "reference/oracle.h"
#include "reference/read.h"
#include "reference/shift.h"

namespace attest::reference {

// Heads of a projection: [B, L, heads * size] in memory, seen as [B, heads, L, size].
struct Heads {
  int64_t batch = 0, heads = 0, length = 0, size = 0;
  std::vector<double> value, absolute;                    // empty absolute: the values are exact
  bool is_zero = false;                                   // every value is, and one is stored
  attest_tensor View(std::vector<double>& memory) const;  // memory of that shape, or one zero
};

// dq or the like of every element, and its likely form.
struct HeadErrors {
  std::vector<double> certain, likely;  // memory as in Heads; one zero where all are exact
};

class Projections {
 public:
  // `positions`: b * Lq + i of the queries that are wanted; the others stay 0. Throws
  // std::invalid_argument for a missing tensor or one of another shape.
  Projections(const attest_problem& problem, Tensors tensors, const std::vector<int64_t>& positions,
              unsigned threads);

  Heads q, k, v;

  // Bounds of one rounding; the tensors live in `this` until the next call.
  const Shift& ShiftOf(const Rounding& rounding);

 private:
  void ReadParameterFree(Tensors tensors);
  void MapAll(Tensors tensors, const std::vector<int64_t>& positions, unsigned threads);

  const attest_problem problem_;
  std::vector<double> query_, key_, value_, likely_query_, likely_key_, likely_value_;
  Shift shift_{};
};

// What a linear map of `in` inputs adds to |y| under a rounding: relative to its absolute sum, for
// certain and as a standard deviation. u_left, u_right: of the operands.
struct MapError {
  double certain = 0, likely = 0;
};
MapError ErrorOfMap(int64_t in, int32_t dtype, const Rounding& rounding, double u_left,
                    double u_right);

// Elements of `role` as [rows, last axis], rows being all other axes in order.
std::vector<double> ReadRows(const attest_tensor& tensor);

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_PROJECTION_H_
