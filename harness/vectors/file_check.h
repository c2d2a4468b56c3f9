// SPDX-License-Identifier: Apache-2.0
//
// What a case's author says comes out, against our reference: whether both mean the same by the
// operator's arguments. No backend takes part. The tolerance is the reference's bound for
// arithmetic in the io type throughout, Q and K being scaled by sqrt(scale) each before their
// product.
#ifndef ATTEST_HARNESS_VECTORS_FILE_CHECK_H_
#define ATTEST_HARNESS_VECTORS_FILE_CHECK_H_

#include <string>
#include <vector>

#include "harness/vectors/attention_case.h"
#include "reference/oracle.h"

namespace attest::vectors {

struct Finding {
  std::string check;  // "vector_y", "vector_present_key", "vector_present_value", "vector_scores"
  bool ok = false;
  std::string detail;  // worst error over bound, or the first element that is wrong
};

// One for each output that the case has. Presents are compared bit for bit.
std::vector<Finding> CheckFile(const Case& vector, unsigned threads);

// The arithmetic that the files' outputs may have been computed in.
reference::Rounding FileRounding(const Case& vector);

}  // namespace attest::vectors

#endif  // ATTEST_HARNESS_VECTORS_FILE_CHECK_H_
