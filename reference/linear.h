// SPDX-License-Identifier: Apache-2.0
//
// Linear maps as nn.Linear has them, y = x W^T + b, in double precision: W [out, in], b [out] or
// none. Beside every y what its rounding errors scale with.
#ifndef ATTEST_REFERENCE_LINEAR_H_
#define ATTEST_REFERENCE_LINEAR_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "attest/abi.h"

namespace attest::reference {

// Sums of one map over rows; each [rows, out].
struct Mapped {
  std::vector<double> value;     // sum_t x_t w_t + b
  std::vector<double> absolute;  // sum_t |x_t w_t| + |b|
  std::vector<double> squares;   // sum_t (x_t w_t)^2, where asked for
};

class LinearMap {
 public:
  // Reads W, and b where it is not null. `wide`: sums in long double, for f64 problems.
  LinearMap(const attest_tensor& weight, const attest_tensor* bias, bool wide);

  int64_t in() const { return in_; }
  int64_t out() const { return out_; }

  // x: [rows, in], dense. The result does not depend on `threads`.
  Mapped Apply(const std::vector<double>& x, int64_t rows, unsigned threads) const;
  // Without the bias, squares too: how errors of x go through the map.
  Mapped Spread(const std::vector<double>& x, int64_t rows, unsigned threads) const;

 private:
  Mapped Run(const std::vector<double>& x, int64_t rows, unsigned threads, bool spread) const;
  void RunRows(const std::vector<double>& x, int64_t first, int64_t last, bool spread,
               Mapped& y) const;
  void RunRowsWide(const std::vector<double>& x, int64_t first, int64_t last, Mapped& y) const;

  int64_t in_, out_;
  bool wide_;
  std::vector<double> panels_;  // [panel][in][kPanel], zeros behind `out`
  std::vector<double> bias_;    // [out], zeros without one
};

// body(first, last) over parts of [0, count), each on one of that many threads.
void ForParts(int64_t count, int64_t part, unsigned threads,
              const std::function<void(int64_t, int64_t)>& body);

// The same memory with axes of length 1 in front, so that it has rank 4.
attest_tensor AsRankFour(attest_tensor tensor);

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_LINEAR_H_
