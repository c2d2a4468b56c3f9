// SPDX-License-Identifier: Apache-2.0
//
// The two distributions that intervals and tests need: the normal one and Student's t. Quantiles by
// bisection on the exact cumulative functions, to 1e-12; not fast, not for inner loops.
// Source: Abramowitz & Stegun 26.2.29 and 26.7.3-4 (closed forms for whole degrees of freedom).
#ifndef ATTEST_HARNESS_REPORT_COMPARE_QUANTILES_H_
#define ATTEST_HARNESS_REPORT_COMPARE_QUANTILES_H_

namespace attest::report {

// P(|T| > t) for t >= 0; `degrees` >= 1, 0 for the normal distribution.
double TwoSidedTail(double t, int degrees);
// The t that |T| passes with probability `tail` in (0, 1).
double TwoSidedQuantile(double tail, int degrees);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_COMPARE_QUANTILES_H_
