// SPDX-License-Identifier: Apache-2.0
//
// Whether the times of two reports may be set against each other: same machine, same way of
// measuring, same io types, same libraries. The commit and the compiler may differ: that is what a
// comparison is for.
#ifndef ATTEST_HARNESS_REPORT_COMPARE_COMPARABLE_H_
#define ATTEST_HARNESS_REPORT_COMPARE_COMPARABLE_H_

#include <string>
#include <vector>

#include "harness/report/model.h"

namespace attest::report {

// One line for each difference that forbids it: "threads: 2, then 4".
std::vector<std::string> Differences(const Report& before, const Report& after);

// What a reader should know of two reports that may be compared: an interrupted run, ceilings that
// changed.
std::vector<std::string> Remarks(const Report& before, const Report& after);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_COMPARE_COMPARABLE_H_
