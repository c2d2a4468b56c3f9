// SPDX-License-Identifier: Apache-2.0
//
// B, Bp and the bounds of LSE and WEIGHTS. Every term names its symbol of README.md; the oracle's
// own rounding is added term by term, as expm1(a) + expm1(b) <= expm1(a + b).
#include "reference/bound.h"

#include <algorithm>
#include <cmath>

#include "reference/rounding.h"

namespace attest::reference {
namespace {

// Covers the rounding of the bound's own evaluation and |v - o| taken at the computed o: both are
// below 2^-28 of the bound for every backend format up to f32, and of second order for f64.
constexpr double kInflation = 1 + 0x1p-20;
constexpr double kDoubleRoundoff = 0x1p-53;
// Rescales that any algorithm may make beyond the running maxima: starts, splits, a final division.
constexpr double kBaseRescales = 8;

double Square(double x) { return x * x; }

}  // namespace

Rounding OracleRounding(int32_t dtype) {
  Rounding own;
  own.u_acc = dtype == ATTEST_F64 ? 0x1p-64 : kDoubleRoundoff;
  own.eps_exp = 4 * own.u_acc;
  own.u_out = kDoubleRoundoff;
  return own;
}

RowBound::RowBound(const attest_problem& problem, const Rounding& rounding, const RowFacts& row)
    : problem_(problem),
      rounding_(rounding),
      row_(row),
      own_(OracleRounding(problem.dtype)),
      rescales_(kBaseRescales + static_cast<double>(row.chain)) {
  const double terms = static_cast<double>(row.visible) + rescales_ + 1;
  gamma_ = Gamma(terms, rounding.u_acc);
  own_gamma_ = Gamma(terms, own_.u_acc);
}

ErrorCoefficients RowBound::Coefficients() const {
  const auto d = static_cast<double>(problem_.head_size);
  const Rounding& r = rounding_;
  const double u = r.u_acc + own_.u_acc;
  const double eps = r.eps_exp + own_.eps_exp;
  ErrorCoefficients k{};
  k.product = Gamma(d + 2, r.u_acc) + Gamma(d + 2, own_.u_acc) + 2 * r.u_op + Square(r.u_op);
  k.raw = r.u_s + 4 * u;
  k.score = r.u_s + 2 * u;
  k.shifted = 3 * u;
  k.constant = eps + rescales_ * (eps + 2 * u) + 8 * u * problem_.softcap;
  k.product2 = Square(u) * (d + 4);
  k.raw2 = Square(r.u_s) + 4 * Square(u);
  k.score2 = Square(r.u_s) + 2 * Square(u);
  k.shifted2 = 4 * Square(u);
  k.constant2 =
      Square(eps) + rescales_ * (Square(eps) + 2 * Square(u)) + Square(4 * u * problem_.softcap);
  k.maximum = row_.maximum;
  // All that acts on a score acts on the computed one, which is up to D further from 0.
  k.constant += k.shifted * row_.moved;
  k.moved = 1 + k.product + k.raw + k.score + k.shifted;
  return k;
}

// The error of a value that is computed with `error` and then rounded to the io type.
double RowBound::Stored(double error, double value) const {
  return (error * (1 + rounding_.u_out) + (rounding_.u_out + own_.u_out) * value +
          rounding_.eta_out) *
         kInflation;
}

ColumnBound RowBound::Column(const ColumnFacts& c) const {
  const Rounding& r = rounding_;
  const double magnitude = std::fabs(c.output);
  const double hull = std::max(c.greatest - c.output, c.output - c.least);
  const double ratio = IsRatioBounded() ? 1 / (1 - sums_.rho) : kNoBound;
  // A row of one key has W = 0 whatever its score's error is.
  const double scores = std::min(c.deviation * ratio, hull);
  // The roundings of the second product act on the computed weights, not on the exact ones.
  const double largest = std::max(std::fabs(c.least), std::fabs(c.greatest));
  // Errors of V itself, weighted with the computed weights.
  const double values =
      std::min(c.value_error + c.value_largest * sums_.rho * ratio, c.value_largest);
  const double total =
      std::max(c.total, std::min(c.total + largest * sums_.rho * ratio, largest)) + values;
  const double reach = magnitude + scores + values;
  const double own = own_gamma_ * total + (own_gamma_ + 2 * own_.u_acc) * reach;
  const double underflow = r.eta_p * (c.absolute + c.value_absolute);
  const double products = (r.u_p + r.u_op + gamma_) * total;
  const double division = (r.u_p + gamma_ + 2 * r.u_acc) * reach;
  const double certain = Stored(scores + values + products + division + own + underflow, magnitude);

  const double n = static_cast<double>(row_.visible) + rescales_;
  const double variance = c.spread + (Square(r.u_p) + Square(r.u_op)) * c.squares +
                          Square(r.u_acc) * n * (Square(c.total) + Square(c.output)) +
                          4 * Square(r.u_acc) * Square(c.output) + c.value_squares;
  const double operands = 1.5 * kLambda * r.u_op * std::fabs(problem_.scale) * c.operand;
  // Weights that lie closer together than P's format tells apart are all rounded alike: that part
  // of their error, which acts through o, does not average out.
  const double alike = r.u_p * magnitude;
  // q_i errs alike for all keys, so what moves scores is added up, not squared.
  const double moved = kLambda * c.moved;
  const double likely = kLambda * std::sqrt(variance) + operands + moved + alike + underflow + own;
  return {certain, std::min(certain, Stored(likely, magnitude))};
}

double RowBound::Lse() const {
  // LSE is stored in f32 unless the io type is f64.
  const double stored = problem_.dtype == ATTEST_F64 ? kDoubleRoundoff : 0x1p-24;
  const double u = rounding_.u_acc + own_.u_acc;
  const double size = std::fabs(row_.lse);
  return (sums_.largest + gamma_ + own_gamma_ + rounding_.eps_exp + own_.eps_exp +
          2 * u * (size + std::log(row_.sum)) + (stored + own_.u_out) * size) *
         kInflation;
}

double RowBound::Weight(double p, double relative) const {
  const double hull = std::max(p, 1 - p);
  const double ratio = p * (relative + sums_.rho) / (1 - sums_.rho);
  const double scores = IsRatioBounded() ? std::min(ratio, hull) : hull;
  const double u = rounding_.u_p + gamma_ + own_gamma_ + 2 * (rounding_.u_acc + own_.u_acc);
  return Stored(scores + u * (p + scores) + rounding_.eta_p, p);
}

}  // namespace attest::reference
