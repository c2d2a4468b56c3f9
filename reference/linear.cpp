// SPDX-License-Identifier: Apache-2.0
//
// Panels of 16 outputs against quads of rows, by the kernel that makes scores: sums run over t in
// ascending order.
#include "reference/linear.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "reference/kernels.h"
#include "reference/read.h"

namespace attest::reference {
namespace {

constexpr int64_t kRowsPerPart = 64;  // of x, which then stay in a level-two cache beside a panel

}  // namespace

void ForParts(int64_t count, int64_t part, unsigned threads,
              const std::function<void(int64_t, int64_t)>& body) {
  std::atomic<int64_t> next = 0;
  const auto work = [&] {
    for (int64_t first; (first = next.fetch_add(part)) < count;) {
      body(first, std::min(first + part, count));
    }
  };
  std::vector<std::jthread> others;
  for (unsigned n = 1; n < threads; ++n) others.emplace_back(work);
  work();
}

attest_tensor AsRankFour(attest_tensor tensor) {
  const int32_t added = 4 - tensor.rank;
  for (int32_t axis = 3; axis >= 0; --axis) {
    tensor.shape[axis] = axis >= added ? tensor.shape[axis - added] : 1;
    tensor.strides[axis] = axis >= added ? tensor.strides[axis - added] : 0;
  }
  tensor.rank = 4;
  return tensor;
}

LinearMap::LinearMap(const attest_tensor& weight, const attest_tensor* bias, bool wide)
    : in_(weight.shape[1]), out_(weight.shape[0]), wide_(wide), bias_(weight.shape[0]) {
  const int64_t panels = (out_ + kPanel - 1) / kPanel;
  panels_.resize(panels * kPanel * in_);
  std::vector<double> row(in_);
  const attest_tensor w = AsRankFour(weight);
  for (int64_t n = 0; n < out_; ++n) {
    ReadRow(w, 0, 0, n, 0, in_, row.data());
    double* column = &panels_[n / kPanel * kPanel * in_ + n % kPanel];
    for (int64_t t = 0; t < in_; ++t) column[t * kPanel] = row[t];
  }
  if (bias != nullptr) ReadRow(AsRankFour(*bias), 0, 0, 0, 0, out_, bias_.data());
}

void LinearMap::RunRows(const std::vector<double>& x, int64_t first, int64_t last, bool spread,
                        Mapped& y) const {
  const Kernels& kernels = SelectKernels();
  const int64_t quads = (last - first + kQuad - 1) / kQuad;
  std::vector<double> packed(quads * kQuad * in_), sums(3 * kQuad * kPanel);
  for (int64_t r = first; r < last; ++r) {
    double* column = &packed[(r - first) / kQuad * kQuad * in_ + (r - first) % kQuad];
    for (int64_t t = 0; t < in_; ++t) column[t * kQuad] = x[r * in_ + t];
  }
  const auto rows_of = [&](int64_t kind) {
    double* start = &sums[kind * kQuad * kPanel];
    return Quad{{start, start + kPanel, start + 2 * kPanel, start + 3 * kPanel}};
  };
  const Quad sum = rows_of(0), absolute = rows_of(1), squares = rows_of(2);
  for (int64_t n = 0; n < out_; n += kPanel) {
    const int64_t columns = std::min(kPanel, out_ - n);
    for (int64_t quad = 0; quad < quads; ++quad) {
      kernels.dot(&panels_[n * in_], 1, in_, &packed[quad * kQuad * in_], sum, &absolute,
                  spread ? &squares : nullptr);
      const int64_t rows = std::min<int64_t>(kQuad, last - first - quad * kQuad);
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t at = (first + quad * kQuad + r) * out_ + n;
        for (int64_t c = 0; c < columns; ++c) {
          const double b = spread ? 0 : bias_[n + c];
          y.value[at + c] = sum.row[r][c] + b;
          y.absolute[at + c] = absolute.row[r][c] + std::fabs(b);
          if (spread) y.squares[at + c] = squares.row[r][c];
        }
      }
    }
  }
}

void LinearMap::RunRowsWide(const std::vector<double>& x, int64_t first, int64_t last,
                            Mapped& y) const {
  for (int64_t r = first; r < last; ++r) {
    for (int64_t n = 0; n < out_; ++n) {
      const double* w = &panels_[n / kPanel * kPanel * in_ + n % kPanel];
      long double sum = 0, absolute = 0;
      for (int64_t t = 0; t < in_; ++t) {
        const long double product = static_cast<long double>(x[r * in_ + t]) * w[t * kPanel];
        sum += product;
        absolute += std::fabs(product);
      }
      y.value[r * out_ + n] = static_cast<double>(sum + bias_[n]);
      y.absolute[r * out_ + n] = static_cast<double>(absolute + std::fabs(bias_[n]));
    }
  }
}

Mapped LinearMap::Run(const std::vector<double>& x, int64_t rows, unsigned threads,
                      bool spread) const {
  Mapped y;
  y.value.resize(rows * out_);
  y.absolute.resize(rows * out_);
  if (spread) y.squares.resize(rows * out_);
  ForParts(rows, kRowsPerPart, threads, [&](int64_t first, int64_t last) {
    if (wide_ && !spread)
      RunRowsWide(x, first, last, y);
    else
      RunRows(x, first, last, spread, y);
  });
  return y;
}

Mapped LinearMap::Apply(const std::vector<double>& x, int64_t rows, unsigned threads) const {
  return Run(x, rows, threads, false);
}

Mapped LinearMap::Spread(const std::vector<double>& x, int64_t rows, unsigned threads) const {
  return Run(x, rows, threads, true);
}

}  // namespace attest::reference
