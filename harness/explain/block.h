// SPDX-License-Identifier: Apache-2.0
//
// Matrices as text: columns of equal width with labels, and what does not fit is left out in the
// middle, marked by "..".
#ifndef ATTEST_HARNESS_EXPLAIN_BLOCK_H_
#define ATTEST_HARNESS_EXPLAIN_BLOCK_H_

#include <string>
#include <vector>

#include "harness/explain/matrix.h"

namespace attest::explain {

enum class Numbers { kPlain, kPercent };

struct BlockStyle {
  std::vector<std::string> row_labels, column_labels;  // empty: none
  Numbers numbers = Numbers::kPlain;
  int64_t width = 78;  // characters
};

// A line for each row that is shown, and one above for column labels where there are some.
std::vector<std::string> Block(const Matrix& matrix, const BlockStyle& style);
// Whether Block leaves out a column.
bool FitsWidth(const Matrix& matrix, const BlockStyle& style);
// Blocks beside each other, `gap` between them; shorter ones end earlier.
std::vector<std::string> Beside(const std::vector<std::vector<std::string>>& blocks,
                                const std::string& gap);
// Characters, of UTF-8, as a terminal counts most of them; and text cut or filled to that many.
int64_t DisplayWidth(const std::string& text);
std::string Fit(const std::string& text, int64_t width);

}  // namespace attest::explain

#endif  // ATTEST_HARNESS_EXPLAIN_BLOCK_H_
