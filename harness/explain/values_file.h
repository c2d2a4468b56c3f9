// SPDX-License-Identifier: Apache-2.0
//
// Matrices from files: CSV (numbers separated by commas, semicolons, tabs or spaces, a row each
// line), a JSON array of rows, or a JSON object with the keys that `attest explain --format json`
// writes. The one reader of JSON here.
#ifndef ATTEST_HARNESS_EXPLAIN_VALUES_FILE_H_
#define ATTEST_HARNESS_EXPLAIN_VALUES_FILE_H_

#include <string>
#include <vector>

#include "harness/explain/matrix.h"

namespace attest::explain {

struct Values {
  Matrix x, x_kv, w_q, w_k, w_v;  // empty: not in the file; a plain matrix is x
  std::vector<std::string> tokens, key_tokens;
};

// Throws std::invalid_argument with the path and the line, row or key: not readable, not such a
// file, not a number, not finite, rows of unlike length, no row at all.
Values ReadValuesFile(const std::string& path);

}  // namespace attest::explain

#endif  // ATTEST_HARNESS_EXPLAIN_VALUES_FILE_H_
