// SPDX-License-Identifier: Apache-2.0
#include "harness/report/compare/quantiles.h"

#include <cmath>
#include <numbers>

namespace attest::report {
namespace {

// Above this many degrees of freedom the normal distribution is as good as the data.
constexpr int kManyDegrees = 1000;

// P(|T| <= t) with theta = atan(t / sqrt(degrees)).
double Inside(double t, int degrees) {
  const double theta = std::atan(t / std::sqrt(degrees));
  const double cosine = std::cos(theta), square = cosine * cosine;
  const bool odd = degrees % 2 != 0;
  double term = odd ? cosine : 1, sum = odd && degrees == 1 ? 0 : term;
  for (int k = odd ? 3 : 2; k <= degrees - 2; k += 2) {
    term *= square * (k - 1) / k;
    sum += term;
  }
  const double part = std::sin(theta) * sum;
  return odd ? (theta + part) * 2 / std::numbers::pi : part;
}

}  // namespace

double TwoSidedTail(double t, int degrees) {
  if (degrees == 0 || degrees > kManyDegrees) return std::erfc(t / std::numbers::sqrt2);
  return 1 - Inside(t, degrees);
}

double TwoSidedQuantile(double tail, int degrees) {
  double low = 0, high = 1;
  while (TwoSidedTail(high, degrees) > tail && high < 1e9) high *= 2;
  while (high - low > 1e-12 * high) {
    const double middle = low + (high - low) / 2;
    if (middle == low || middle == high) break;
    (TwoSidedTail(middle, degrees) > tail ? low : high) = middle;
  }
  return high;
}

}  // namespace attest::report
