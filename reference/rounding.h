// SPDX-License-Identifier: Apache-2.0
//
// Unit roundoffs of number formats and the error constant gamma_n. Source: Higham, "Accuracy and
// Stability of Numerical Algorithms", 2nd edition, section 3.1.
#ifndef ATTEST_REFERENCE_ROUNDING_H_
#define ATTEST_REFERENCE_ROUNDING_H_

#include <cstdint>

namespace attest::reference {

// Half an ulp of 1 of an ATTEST_FORMAT_*. Throws std::invalid_argument for NONE or an unknown one.
double UnitRoundoff(int32_t format);

// Half the least subnormal of an ATTEST_FORMAT_*: the absolute error of rounding a tiny number.
double HalfLeastSubnormal(int32_t format);

// The ATTEST_FORMAT_* that holds an io type. Throws std::invalid_argument for a type that is no
// floating-point one.
int32_t FormatOfDtype(int32_t dtype);

// n u / (1 - n u), the relative error of n chained roundings; kNoBound where n u >= 1.
double Gamma(double n, double u);

// Stands for infinity in the bound: finite, so that it times zero is zero.
inline constexpr double kNoBound = 1e30;

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_ROUNDING_H_
