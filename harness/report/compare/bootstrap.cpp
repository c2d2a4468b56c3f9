// SPDX-License-Identifier: Apache-2.0
#include "harness/report/compare/bootstrap.h"

#include <algorithm>
#include <cmath>

namespace attest::report {
namespace {

class Moments {
 public:
  void Add(double value) {
    ++count_;
    const double step = value - mean_;
    mean_ += step / count_;
    squares_ += step * (value - mean_);
  }
  double Deviation() const { return count_ > 1 ? std::sqrt(squares_ / (count_ - 1)) : 0; }

 private:
  double count_ = 0, mean_ = 0, squares_ = 0;
};

class Resampler {
 public:
  Resampler(const std::vector<Compared>& results, const std::vector<double>& changes, size_t labels,
            const DriftControl* control, uint64_t seed)
      : results_(results),
        given_(changes),
        control_(control),
        random_(seed),
        changes_(results.size()),
        controls_(results.size(), 0.0),
        of_result_(results.size()),
        by_rounds_(labels),
        by_cells_(labels),
        members_(labels) {
    for (size_t i = 0; i < results.size(); ++i) members_[results[i].label].push_back(i);
  }

  void Draw() {
    for (size_t begin = 0, end = 0; begin < results_.size(); begin = end) {
      while (end < results_.size() && results_[end].place.cell == results_[begin].place.cell) ++end;
      DrawCell(begin, end);
    }
    if (control_) control_->Controls(changes_, controls_);
    for (size_t i = 0; i < changes_.size(); ++i) {
      changes_[i] -= controls_[i];
      of_result_[i].Add(changes_[i]);
    }
    for (size_t label = 0; label < members_.size(); ++label) DrawLabel(label);
  }

  Scatter Collect() const {
    Scatter scatter;
    for (const Moments& moments : of_result_) scatter.of_result.push_back(moments.Deviation());
    for (size_t label = 0; label < members_.size(); ++label) {
      const double cells = static_cast<double>(members_[label].size());
      // The bootstrap's variance of a mean is short by (n - 1) / n.
      const double correction = cells > 1 ? std::sqrt(cells / (cells - 1)) : 1;
      scatter.of_label.push_back(
          std::max(by_rounds_[label].Deviation(), by_cells_[label].Deviation() * correction));
    }
    return scatter;
  }

 private:
  // The same fractions for all results of a cell are the same rounds where they have equally many.
  void DrawCell(size_t begin, size_t end) {
    size_t longest = 0;
    for (size_t i = begin; i < end; ++i)
      longest = std::max({longest, results_[i].before.size(),
                          results_[i].after ? results_[i].after->size() : size_t{0}});
    for (auto* side : {&before_, &after_}) {
      side->resize(longest);
      for (uint32_t& fraction : *side) fraction = static_cast<uint32_t>(random_() >> 32);
    }
    for (size_t i = begin; i < end; ++i) {
      const Compared& result = results_[i];
      changes_[i] = result.after
                        ? CentreOf(*result.after, after_) - CentreOf(result.before, before_)
                        : CentreOf(result.before, before_);
    }
  }

  double CentreOf(const Rounds& rounds, const std::vector<uint32_t>& fractions) {
    drawn_.resize(rounds.size());
    for (size_t i = 0; i < drawn_.size(); ++i)
      drawn_[i] = static_cast<uint32_t>((uint64_t{fractions[i]} * rounds.size()) >> 32);
    return rounds.Resampled(drawn_);
  }

  void DrawLabel(size_t label) {
    const std::vector<size_t>& members = members_[label];
    if (members.empty()) return;
    const double count = static_cast<double>(members.size());
    double rounds = 0, cells = 0;
    for (const size_t member : members) {
      rounds += changes_[member];
      cells += given_[members[DrawIndex(random_, members.size())]];
    }
    by_rounds_[label].Add(rounds / count);
    by_cells_[label].Add(cells / count);
  }

  const std::vector<Compared>& results_;
  const std::vector<double>& given_;
  const DriftControl* control_;
  std::mt19937_64 random_;
  std::vector<double> changes_, controls_;
  std::vector<Moments> of_result_, by_rounds_, by_cells_;
  std::vector<std::vector<size_t>> members_;  // results of each label
  std::vector<uint32_t> before_, after_, drawn_;
};

}  // namespace

Scatter Bootstrap(const std::vector<Compared>& results, const std::vector<double>& changes,
                  size_t labels, const DriftControl* control, size_t replicates, uint64_t seed) {
  Resampler resampler(results, changes, labels, control, seed);
  for (size_t i = 0; i < replicates; ++i) resampler.Draw();
  return resampler.Collect();
}

}  // namespace attest::report
