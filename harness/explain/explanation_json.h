// SPDX-License-Identifier: Apache-2.0
//
// An explanation for a notebook: one JSON object.
#ifndef ATTEST_HARNESS_EXPLAIN_EXPLANATION_JSON_H_
#define ATTEST_HARNESS_EXPLAIN_EXPLANATION_JSON_H_

#include <string>

#include "harness/explain/steps.h"

namespace attest::explain {

// Keys x, w_q, w_k, w_v [out][in], q, k, v [L][heads size], scores, scaled_scores, weights
// [heads][Lq][Lk], output [Lq][heads size], scale, structure, tokens, backend, and reference with
// the numbers in double precision; of cross-attention x_kv and key_tokens, too. What the structure
// or the backend does not have is null, and so is a number that is not finite. Ends with a newline.
std::string ExplanationJson(const Explanation& explanation);

}  // namespace attest::explain

#endif  // ATTEST_HARNESS_EXPLAIN_EXPLANATION_JSON_H_
