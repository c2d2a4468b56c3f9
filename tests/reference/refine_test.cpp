// SPDX-License-Identifier: Apache-2.0
//
// Rows of f64 problems are right to the last bit or nearly so, where double sums would not be.
#include "reference/refine.h"

#include <gtest/gtest.h>

#include <cmath>

#include "case.h"
#include "reference/oracle.h"

namespace attest::reference {
namespace {

TEST(RefineRow, F64AnswersAreRoundedOnce) {
  attest_problem p = MakeProblem(1, 1, 4, 500, 200, 8);
  p.dtype = ATTEST_F64;
  const Case c(p, "cancelling", 1);
  const Answer answer = ComputeSdpa(p, c.Tensors(), {});
  for (int64_t i = 0; i < 4; ++i) {
    const NaiveRow naive = c.Naive(0, 0, i);
    for (int64_t n = 0; n < 8; ++n) {
      const double got = answer.output[i * 8 + n];
      // Values of about 50 cancel: long double's own error is of 50 times 2^-64 and a few more.
      EXPECT_LE(std::fabs(got - naive.output[n]), std::fabs(got) * 0x1p-53 + 50 * 0x1p-60);
    }
    EXPECT_LE(std::fabs(answer.lse[i] - naive.lse), std::fabs(answer.lse[i]) * 0x1p-52);
  }
}

// A plain double computation passes the bound of f64 arithmetic; a single float sum does not.
TEST(RefineRow, TheBoundOfF64JudgesDoubles) {
  attest_problem p = MakeProblem(1, 1, 4, 100, 32, 4);
  p.dtype = ATTEST_F64;
  const Case c(p, "normal", 2);
  attest_contract contract{};
  contract.accumulate = ATTEST_FORMAT_F64;
  const Answer answer =
      ComputeSdpa(p, c.Tensors(), {.roundings = {RoundingOf(contract, ATTEST_F64)}});
  double worst = 0;
  for (int64_t i = 0; i < 4; ++i) {
    double sum = 0;
    std::vector<double> output(4);
    for (int64_t j = 0; j < 100; ++j) {
      double s = 0;
      for (int64_t t = 0; t < 32; ++t) s += c.Q(0, 0, i, t) * c.K(0, 0, j, t);
      const double e = std::exp(s * p.scale);
      sum += e;
      for (int64_t n = 0; n < 4; ++n) output[n] += e * c.V(0, 0, j, n);
    }
    for (int64_t n = 0; n < 4; ++n) {
      const double bound = answer.bounds[0].output[i * 4 + n];
      const double expected = answer.output[i * 4 + n];
      worst = std::fmax(worst, std::fabs(output[n] / sum - expected) / bound);
      EXPECT_GT(std::fabs(static_cast<float>(expected) - expected), bound);
    }
  }
  EXPECT_LT(worst, 1);
  EXPECT_GT(worst, 0.005);
}

}  // namespace
}  // namespace attest::reference
