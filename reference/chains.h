// SPDX-License-Identifier: Apache-2.0
//
// How often an online softmax can meet a new maximum.
#ifndef ATTEST_REFERENCE_CHAINS_H_
#define ATTEST_REFERENCE_CHAINS_H_

#include <cstdint>
#include <vector>

namespace attest::reference {

// The longest chain of strictly growing running maxima over every possible start, read forward and
// backward, of scores[0, count); -inf entries are not there. 0 where nothing is left. O(count):
// `stack` is scratch of at least `count` elements.
int64_t LongestMaximumChain(const double* scores, int64_t count, double* stack);

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_CHAINS_H_
