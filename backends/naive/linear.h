// SPDX-License-Identifier: Apache-2.0
//
// y = x W^T + b in plain loops: one dot product after another in f32 (f64 for f64), rounded on
// store.
#ifndef ATTEST_BACKENDS_NAIVE_LINEAR_H_
#define ATTEST_BACKENDS_NAIVE_LINEAR_H_

#include <cstdint>
#include <type_traits>

#include "attest/half.hpp"
#include "attest/layer.hpp"
#include "attest/thread_pool.hpp"

namespace naive {

// Rows of x are shared out to the pool's threads. Tensors have data and element type Io.
template <typename Io>
void Linear(const attest::LinearMap& map, attest::ThreadPool& pool) {
  using Real = std::conditional_t<std::is_same_v<Io, double>, double, float>;
  const auto at = [](const attest_tensor& t, int64_t offset) {
    return static_cast<Io*>(t.data) + offset;
  };
  const int64_t length = map.x.shape[1], in = map.weight.shape[1], out = map.weight.shape[0];
  pool.Run(map.x.shape[0] * length, [&](int64_t row, unsigned) {
    const int64_t b = row / length, i = row % length;
    const Io* x = at(map.x, b * map.x.strides[0] + i * map.x.strides[1]);
    Io* y = at(map.y, b * map.y.strides[0] + i * map.y.strides[1]);
    for (int64_t n = 0; n < out; ++n) {
      const Io* w = at(map.weight, n * map.weight.strides[0]);
      Real sum =
          map.bias.role == 0 ? Real{0} : attest::Widen(*at(map.bias, n * map.bias.strides[0]));
      for (int64_t t = 0; t < in; ++t)
        sum += attest::Widen(x[t * map.x.strides[2]]) * attest::Widen(w[t * map.weight.strides[1]]);
      attest::Narrow(sum, y + n * map.y.strides[2]);
    }
  });
}

}  // namespace naive

#endif  // ATTEST_BACKENDS_NAIVE_LINEAR_H_
