// SPDX-License-Identifier: Apache-2.0
//
// A report that has everything once: verified, noisy, failed and unsupported results, a decode
// cell, non-finite numbers, bytes that are no UTF-8. All of it is fixed, so that its JSON is the
// golden file.
#ifndef ATTEST_TESTS_REPORT_FIXTURE_H_
#define ATTEST_TESTS_REPORT_FIXTURE_H_

#include "harness/report/model.h"

namespace attest::report {

inline constexpr int kFixtureRounds = 12;

// Times of eigen:flash are multiplied by `slowdown`; `seed` changes the noise of all.
Report MakeReport(double slowdown = 1, uint64_t seed = 1);

}  // namespace attest::report

#endif  // ATTEST_TESTS_REPORT_FIXTURE_H_
