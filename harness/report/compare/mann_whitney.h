// SPDX-License-Identifier: Apache-2.0
//
// The Mann-Whitney U test of two samples, two-sided. Exact where no value occurs twice and neither
// sample has more than kExactSize values, else by the normal approximation with corrections for
// ties and continuity. Says whether one sample tends to be larger, not by how much; a p value of
// one cell among thousands decides nothing.
// Source: Mann & Whitney 1947; Lehmann, Nonparametrics, 1975, sections 1.2 and 1.4.
#ifndef ATTEST_HARNESS_REPORT_COMPARE_MANN_WHITNEY_H_
#define ATTEST_HARNESS_REPORT_COMPARE_MANN_WHITNEY_H_

#include <cstddef>
#include <span>

namespace attest::report {

inline constexpr size_t kExactSize = 20;

// The p value; 1 where a sample is empty or all values are equal.
double MannWhitneyP(std::span<const double> first, std::span<const double> second);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_COMPARE_MANN_WHITNEY_H_
