// SPDX-License-Identifier: Apache-2.0
//
// Scores, softmax and weighted sum of one row in long double (64-bit significand on x86; where long
// double is double, the bound of f64 problems counts on more than it gets, so that is refused).
#include "reference/refine.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace attest::reference {
namespace {

using Wide = long double;
static_assert(std::numeric_limits<Wide>::digits >= 64,
              "f64 problems need a long double of at least 64 significand bits");
constexpr double kMasked = -std::numeric_limits<double>::infinity();

Wide Score(const attest_problem& problem, const Pack& pack, const RefinedRow& row, int64_t j) {
  Wide dot = 0;
  for (int64_t t = 0; t < problem.head_size; ++t) {
    dot += static_cast<Wide>(row.q[t * kQuad]) * pack.Key(j, t);
  }
  return dot * problem.scale;
}

// Scores of the visible keys, the masked ones left at -inf; returns the greatest.
Wide ScoreRow(const attest_problem& problem, const Pack& pack, RefinedRow& row,
              std::vector<Wide>& scores) {
  Wide maximum = kMasked;
  for (int64_t n = 0; n < row.last - row.first; ++n) {
    scores[n] = kMasked;
    if (row.score[n] == kMasked) continue;
    Wide s = Score(problem, pack, row, row.first + n);
    row.raw[n] = static_cast<double>(s);
    if (problem.softcap > 0) s = problem.softcap * std::tanh(s / problem.softcap);
    if (row.bias != nullptr) s += row.bias[n];
    scores[n] = s;
    row.score[n] = static_cast<double>(s);
    maximum = std::max(maximum, s);
  }
  return maximum;
}

}  // namespace

void RefineRow(const attest_problem& problem, const Pack& pack, RefinedRow& row) {
  const int64_t count = row.last - row.first;
  std::vector<Wide> scores(count);
  const Wide maximum = ScoreRow(problem, pack, row, scores);
  Wide sum = 0;
  std::vector<Wide> output(problem.v_head_size);
  for (int64_t n = 0; n < count; ++n) {
    if (row.score[n] == kMasked) continue;
    scores[n] = std::exp(scores[n] - maximum);
    sum += scores[n];
    const double* value = pack.Value(row.first + n);
    for (int64_t c = 0; c < problem.v_head_size; ++c) output[c] += scores[n] * value[c];
  }
  for (int64_t n = 0; n < count; ++n) {
    row.p[n] = row.score[n] == kMasked ? 0 : static_cast<double>(scores[n] / sum);
  }
  for (int64_t c = 0; c < problem.v_head_size; ++c) {
    row.output[c] = static_cast<double>(output[c] / sum);
  }
  row.maximum = static_cast<double>(maximum);
  row.sum = static_cast<double>(sum);
  row.lse = static_cast<double>(maximum + std::log(sum));
}

}  // namespace attest::reference
