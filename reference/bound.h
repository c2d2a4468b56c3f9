// SPDX-License-Identifier: Apache-2.0
//
// The error bound of one row, from sums that the kernels made. Formulas: README.md. Scalar code, as
// it runs once per row and column, not per key.
#ifndef ATTEST_REFERENCE_BOUND_H_
#define ATTEST_REFERENCE_BOUND_H_

#include <cstdint>

#include "attest/abi.h"
#include "reference/kernels.h"
#include "reference/oracle.h"

namespace attest::reference {

// The oracle's own arithmetic, as a rounding like a backend's.
Rounding OracleRounding(int32_t dtype);

// What the bound needs to know of a row that sees at least one key.
struct RowFacts {
  int64_t visible = 0;  // keys that it sees
  int64_t chain = 0;    // n_r without its constant
  double maximum = 0;   // m
  double sum = 0;       // l
  double lse = 0;
  double moved = 0;  // largest D: how far the scores of shifted Q and K may lie
};

// What the bound needs to know of one column of a row.
struct ColumnFacts {
  double output = 0;  // o
  double least = 0;   // of V over the visible keys
  double greatest = 0;
  double absolute = 0;   // sum of |v| over the visible keys
  double total = 0;      // T = sum p |v|
  double squares = 0;    // sum p^2 v^2
  double deviation = 0;  // sum p expm1(E) |v - o|
  double spread = 0;     // sum (p expm1(lambda sigma_E) / lambda (v - o))^2
  double operand = 0;    // sum p |v - o| sqrt(sum_t q^2 k^2)
  // Of the shift:
  double value_error = 0;     // sum p dv
  double value_largest = 0;   // greatest visible dv
  double value_absolute = 0;  // sum of the visible dv
  double value_squares = 0;   // sum p^2 sv^2
  double moved = 0;           // |scale| sum p |v - o| sqrt(sum_t sq^2 k^2 + q^2 sk^2)
};

struct ColumnBound {
  double certain = 0;        // B
  double probabilistic = 0;  // Bp
};

class RowBound {
 public:
  RowBound(const attest_problem& problem, const Rounding& rounding, const RowFacts& row);

  ErrorCoefficients Coefficients() const;

  // The rest is valid once the error sums of the row are known.
  void SetSums(const ErrorSums& sums) { sums_ = sums; }
  ColumnBound Column(const ColumnFacts& column) const;
  double Lse() const;
  // Of the weight p whose expm1(E) is `relative`.
  double Weight(double p, double relative) const;

 private:
  bool IsRatioBounded() const { return sums_.rho < 0.75; }
  double Stored(double error, double value) const;

  const attest_problem& problem_;
  const Rounding& rounding_;
  const RowFacts& row_;
  Rounding own_;
  double rescales_;  // n_r
  double gamma_;     // gamma_n of the sums over keys
  double own_gamma_;
  ErrorSums sums_{};
};

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_BOUND_H_
