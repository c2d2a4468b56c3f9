// SPDX-License-Identifier: Apache-2.0
#include "harness/report/compare/mann_whitney.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "harness/report/compare/quantiles.h"

namespace attest::report {
namespace {

struct Ranked {
  double u = 0;     // pairs in which the first sample's value is larger, ties counting half
  double ties = 0;  // sum of t^3 - t over groups of t equal values
};

Ranked Rank(std::span<const double> first, std::span<const double> second) {
  std::vector<std::pair<double, bool>> all;
  for (double value : first) all.emplace_back(value, true);
  for (double value : second) all.emplace_back(value, false);
  std::sort(all.begin(), all.end());
  Ranked ranked;
  double below = 0;  // values of the second sample that are smaller
  for (size_t i = 0; i < all.size();) {
    size_t end = i;
    double ours = 0, theirs = 0;
    for (; end < all.size() && all[end].first == all[i].first; ++end)
      (all[end].second ? ours : theirs) += 1;
    ranked.u += ours * (below + theirs / 2);
    below += theirs;
    const double group = static_cast<double>(end - i);
    ranked.ties += group * group * group - group;
    i = end;
  }
  return ranked;
}

// counts[u] of the arrangements of m and n values whose statistic is u, by the recurrence
// f(m, n, u) = f(m - 1, n, u - n) + f(m, n - 1, u). Doubles: C(40, 20) is below 2^53.
std::vector<double> Arrangements(size_t m, size_t n) {
  std::vector<std::vector<double>> row(n + 1);  // of m' = 0: only u = 0
  for (auto& counts : row) counts.assign(m * n + 1, 0), counts[0] = 1;
  for (size_t i = 1; i <= m; ++i)
    for (size_t j = 0; j <= n; ++j) {
      std::vector<double> counts(m * n + 1, 0);
      for (size_t u = 0; u <= m * n; ++u)
        counts[u] = (u >= j ? row[j][u - j] : 0) + (j > 0 ? row[j - 1][u] : 0);
      row[j] = std::move(counts);
    }
  return row[n];
}

double ExactP(size_t m, size_t n, double u) {
  // A sweep's results nearly all have the same sizes; one thread compares.
  static thread_local std::map<std::pair<size_t, size_t>, std::vector<double>> known;
  std::vector<double>& counts = known[{m, n}];
  if (counts.empty()) counts = Arrangements(m, n);
  const auto extreme = static_cast<size_t>(std::max(u, static_cast<double>(m * n) - u));
  double tail = 0, all = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    all += counts[i];
    if (i >= extreme) tail += counts[i];
  }
  return std::min(1.0, 2 * tail / all);
}

}  // namespace

double MannWhitneyP(std::span<const double> first, std::span<const double> second) {
  const double m = static_cast<double>(first.size()), n = static_cast<double>(second.size());
  if (first.empty() || second.empty()) return 1;
  const Ranked ranked = Rank(first, second);
  if (ranked.ties == 0 && std::max(first.size(), second.size()) <= kExactSize)
    return ExactP(first.size(), second.size(), ranked.u);
  const double total = m + n;
  const double variance = m * n / 12 * (total + 1 - ranked.ties / (total * (total - 1)));
  if (!(variance > 0)) return 1;
  const double distance = std::max(0.0, std::fabs(ranked.u - m * n / 2) - 0.5);
  return TwoSidedTail(distance / std::sqrt(variance), 0);
}

}  // namespace attest::report
