// SPDX-License-Identifier: Apache-2.0
//
// Read against the scan, a stack that drops what the next score covers always holds exactly the
// running maxima that a scan starting at the current score would meet, so its height is the length
// of that chain.
#include "reference/chains.h"

#include <algorithm>
#include <limits>

namespace attest::reference {
namespace {

template <int kStep>
int64_t HighestStack(const double* scores, int64_t count, double* stack) {
  constexpr double kMasked = -std::numeric_limits<double>::infinity();
  int64_t height = 0;
  int64_t highest = 0;
  int64_t j = kStep > 0 ? 0 : count - 1;
  for (int64_t n = 0; n < count; ++n, j += kStep) {
    const double score = scores[j];
    if (score == kMasked) continue;
    while (height > 0 && stack[height - 1] <= score) --height;
    stack[height++] = score;
    highest = std::max(highest, height);
  }
  return highest;
}

}  // namespace

int64_t LongestMaximumChain(const double* scores, int64_t count, double* stack) {
  return std::max(HighestStack<1>(scores, count, stack), HighestStack<-1>(scores, count, stack));
}

}  // namespace attest::reference
