// SPDX-License-Identifier: Apache-2.0
#include "harness/report/compare/rounds.h"

#include <algorithm>
#include <numeric>

namespace attest::report {

Rounds::Rounds(std::span<const double> logarithms, Centre centre)
    : sorted_(logarithms.begin(), logarithms.end()), rank_(logarithms.size()) {
  const size_t size = logarithms.size();
  std::vector<uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return logarithms[a] < logarithms[b]; });
  for (uint32_t i = 0; i < size; ++i) {
    rank_[order[i]] = i;
    sorted_[i] = logarithms[order[i]];
  }
  first_ = centre == Centre::kMedian ? (size - 1) / 2 : 0;
  last_ = centre == Centre::kMedian ? size / 2 + 1 : (size + 1) / 2;
}

double Rounds::Value() const {
  double sum = 0;
  for (size_t i = first_; i < last_; ++i) sum += sorted_[i];
  return sum / static_cast<double>(last_ - first_);
}

double Rounds::Resampled(std::span<const uint32_t> drawn) const {
  // How often each rank was drawn gives the order statistics without sorting.
  static thread_local std::vector<uint32_t> times;
  times.assign(sorted_.size(), 0);
  for (const uint32_t round : drawn) ++times[rank_[round]];
  double sum = 0;
  size_t passed = 0;
  for (size_t i = 0; passed < last_; ++i) {
    const size_t from = std::max(passed, first_), to = std::min(passed + times[i], last_);
    if (to > from) sum += static_cast<double>(to - from) * sorted_[i];
    passed += times[i];
  }
  return sum / static_cast<double>(last_ - first_);
}

}  // namespace attest::report
