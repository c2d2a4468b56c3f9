// SPDX-License-Identifier: Apache-2.0
//
// Several reports as one: the parts of a sharded sweep in the order of the whole, other backends on
// the same cells, or other machines. Results are taken as they are; no time is averaged.
#ifndef ATTEST_HARNESS_REPORT_MERGE_H_
#define ATTEST_HARNESS_REPORT_MERGE_H_

#include <string>
#include <vector>

#include "harness/report/model.h"

namespace attest::report {

// Where machines differ, each backend is named after its machine: "SLUG.BACKEND"; machine, build
// and policy are those of the first report. Throws std::invalid_argument for a result that two
// reports hold, and, unless `force`, for parts that were measured in different ways, a part given
// twice or missing.
Report Merge(std::vector<Report> reports, bool force);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_MERGE_H_
