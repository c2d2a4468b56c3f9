// SPDX-License-Identifier: Apache-2.0
//
// Attention weights as a picture: an Lq x Lk map for each head with the tokens' names and one
// colour bar from 0 to the largest weight. Colours are cividis in 100 steps.
#ifndef ATTEST_HARNESS_EXPLAIN_WEIGHTS_SVG_H_
#define ATTEST_HARNESS_EXPLAIN_WEIGHTS_SVG_H_

#include <string>
#include <vector>

#include "harness/explain/matrix.h"

namespace attest::explain {

// `heads`: [Lq, Lk] each, at least one. Labels are escaped, and left out where there are more than
// fit. A weight that is no number is drawn magenta.
std::string WeightsSvg(const std::string& title, const std::vector<Matrix>& heads,
                       const std::vector<std::string>& tokens,
                       const std::vector<std::string>& key_tokens);

// The same in a file; one named *.png is made by rsvg-convert. Throws std::invalid_argument:
// another ending, a file that cannot be written, no rsvg-convert, with what puts it right.
void WritePicture(const std::string& path, const std::string& svg);

}  // namespace attest::explain

#endif  // ATTEST_HARNESS_EXPLAIN_WEIGHTS_SVG_H_
