// SPDX-License-Identifier: Apache-2.0
#include "harness/report/compare/drift.h"

#include <algorithm>

namespace attest::report {
namespace {

double MedianOf(std::vector<double>& values) {
  const size_t half = values.size() / 2;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(half);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 != 0) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

}  // namespace

DriftControl::DriftControl(std::span<const Place> places) {
  for (size_t i = 0; i < places.size(); ++i) {
    const Place& place = places[i];
    const Place& last = places[i == 0 ? 0 : i - 1];
    const bool new_cell = i == 0 || place.cell != last.cell || place.domain != last.domain;
    if (new_cell) cells_.push_back({groups_.size(), groups_.size(), place.domain});
    if (new_cell || place.backend != last.backend) {
      groups_.push_back({i, i, place.domain});
      ++cells_.back().last;
    }
    ++groups_.back().last;
    domains_ = std::max(domains_, place.domain + 1);
  }
}

std::vector<std::optional<double>> DriftControl::Controls(std::span<const double> changes,
                                                          std::span<double> controls) const {
  std::vector<double> of_group, others;
  for (const Range& group : groups_) {
    others.assign(changes.begin() + static_cast<std::ptrdiff_t>(group.first),
                  changes.begin() + static_cast<std::ptrdiff_t>(group.last));
    of_group.push_back(MedianOf(others));
  }
  std::vector<std::optional<double>> group_controls(groups_.size());
  std::vector<std::vector<double>> known(domains_);
  for (const Range& cell : cells_) {
    if (cell.size() <= kFewestControls) continue;
    for (size_t own = cell.first; own < cell.last; ++own) {
      others.clear();
      for (size_t other = cell.first; other < cell.last; ++other)
        if (other != own) others.push_back(of_group[other]);
      group_controls[own] = MedianOf(others);
      known[cell.domain].push_back(*group_controls[own]);
    }
  }
  std::vector<std::optional<double>> common(domains_);
  for (size_t domain = 0; domain < domains_; ++domain)
    if (!known[domain].empty()) common[domain] = MedianOf(known[domain]);
  for (size_t g = 0; g < groups_.size(); ++g) {
    const double control = group_controls[g].value_or(common[groups_[g].domain].value_or(0));
    for (size_t i = groups_[g].first; i < groups_[g].last; ++i) controls[i] = control;
  }
  return common;
}

}  // namespace attest::report
