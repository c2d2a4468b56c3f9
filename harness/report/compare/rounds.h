// SPDX-License-Identifier: Apache-2.0
//
// The rounds of one result in logarithms, their centre, and the centre of a bootstrap sample of
// them. What disturbs a measurement only makes it longer, so a time's centre is the mean of the
// faster half of the rounds; on recorded rounds of a shared machine it scatters half as much as
// the median. A paired ratio is disturbed both ways: its centre is the median.
#ifndef ATTEST_HARNESS_REPORT_COMPARE_ROUNDS_H_
#define ATTEST_HARNESS_REPORT_COMPARE_ROUNDS_H_

#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace attest::report {

// A number in [0, count), count < 2^32. Unlike the standard library's distributions it is the same
// everywhere; the bias of 2^-32 is far below what is estimated.
inline size_t DrawIndex(std::mt19937_64& random, size_t count) {
  return static_cast<size_t>(((random() >> 32) * count) >> 32);
}

enum class Centre { kFasterHalf, kMedian };

class Rounds {
 public:
  // `logarithms` by round; not empty, finite.
  Rounds(std::span<const double> logarithms, Centre centre);

  size_t size() const { return sorted_.size(); }
  double Value() const;
  // The centre of the rounds drawn[0], drawn[1], ..., as many as there are; they may repeat.
  double Resampled(std::span<const uint32_t> drawn) const;

 private:
  std::vector<double> sorted_;
  std::vector<uint32_t> rank_;   // of each round
  size_t first_ = 0, last_ = 0;  // the centre is the mean of order statistics [first_, last_)
};

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_COMPARE_ROUNDS_H_
