// SPDX-License-Identifier: Apache-2.0
//
// An explanation for a terminal, 80 columns wide.
#ifndef ATTEST_HARNESS_EXPLAIN_EXPLANATION_TEXT_H_
#define ATTEST_HARNESS_EXPLAIN_EXPLANATION_TEXT_H_

#include <string>

#include "harness/explain/steps.h"

namespace attest::explain {

std::string ExplanationText(const Explanation& explanation);

}  // namespace attest::explain

#endif  // ATTEST_HARNESS_EXPLAIN_EXPLANATION_TEXT_H_
