// SPDX-License-Identifier: Apache-2.0
//
// What all exporters ask of a report.
#ifndef ATTEST_HARNESS_REPORT_EXPORT_TIMED_H_
#define ATTEST_HARNESS_REPORT_EXPORT_TIMED_H_

#include "harness/report/model.h"

namespace attest::report {

// The timing of a result that is verified and has finite samples, else nullptr.
const Timing* TimingOf(const Result& result);

// Calls visit(cell, result, timing) for each result with a verified time, in the report's order.
template <class Visit>
void ForEachTimed(const Report& report, Visit visit) {
  for (const CellRecord& cell : report.cells)
    for (const Result& result : cell.results)
      if (const Timing* timing = TimingOf(result)) visit(cell, result, *timing);
}

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_EXPORT_TIMED_H_
