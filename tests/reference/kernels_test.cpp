// SPDX-License-Identifier: Apache-2.0
//
// Every SIMD level gives the same bits, and exp and tanh are as exact as the oracle's bound counts
// on.
#include "reference/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace attest::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kKeys = 128;
constexpr int64_t kSize = 48;  // head size and columns

std::vector<double> RandomValues(int64_t count, double scale, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, scale);
  std::vector<double> values(count);
  for (double& x : values) x = normal(random);
  return values;
}

// Everything that one level computes from the same inputs, one after another.
std::vector<double> RunAll(const Kernels& kernels) {
  std::vector<double> out;
  const auto matrix = [&out](int64_t width) {
    const size_t at = out.size();
    out.resize(at + kQuad * width);
    double* first = &out[at];
    return Quad{{first, first + width, first + 2 * width, first + 3 * width}};
  };
  out.reserve(1 << 20);  // quads stay valid
  const auto k = RandomValues(kKeys * kSize, 1, 1);
  const auto q = RandomValues(kQuad * kSize, 1, 2);
  const auto v = RandomValues(kKeys * kSize, 1, 3);
  const Quad s = matrix(kKeys), a = matrix(kKeys), b = matrix(kKeys), p = matrix(kKeys);
  kernels.dot(k.data(), kKeys / kPanel, kSize, q.data(), s, nullptr, nullptr);
  kernels.dot(k.data(), kKeys / kPanel, kSize, q.data(), s, &a, nullptr);
  kernels.dot(k.data(), kKeys / kPanel, kSize, q.data(), s, &a, &b);
  const Quad weighted = matrix(kKeys), spread = matrix(kKeys), relative = matrix(kKeys);
  for (int64_t r = 0; r < kQuad; ++r) {
    kernels.scale(s.row[r], kKeys, 0.3);
    kernels.softcap(s.row[r], kKeys, 2.5);
    s.row[r][17 + r] = -kInfinity;
    const double m = kernels.maximum(s.row[r], kKeys);
    out.push_back(m);
    out.push_back(kernels.exponential(s.row[r], kKeys, m, p.row[r]));
    const ErrorRow row{a.row[r],        s.row[r],      s.row[r],       p.row[r],
                       weighted.row[r], spread.row[r], relative.row[r]};
    const double u = r < 2 ? 1e-3 : 1e-7;  // both ways of expm1
    const ErrorSums sums =
        kernels.errors(row, kKeys, {u, u, u, u, u, u * u, u * u, u * u, u * u, u * u, m});
    out.push_back(sums.rho);
    out.push_back(sums.largest);
  }
  int64_t longest[kQuad];
  EXPECT_TRUE(kernels.chains(s, kKeys, longest));
  for (const int64_t n : longest) out.push_back(static_cast<double>(n));
  const Quad o = matrix(kSize), t = matrix(kSize), p2 = matrix(kSize), w = matrix(kSize),
             f = matrix(kSize), c = matrix(kSize), hull = matrix(kSize);
  kernels.accumulate(v.data(), kKeys, kSize, p, o, nullptr, nullptr);
  kernels.accumulate(v.data(), kKeys, kSize, p, o, &t, nullptr);
  kernels.accumulate(v.data(), kKeys, kSize, p, o, &t, &p2);
  kernels.spread(v.data(), kKeys, kSize, weighted, spread, o, w, f);
  kernels.deviation(v.data(), kKeys, kSize, weighted, o, c);
  const int32_t some[] = {0, 3, 4, 77, 127};
  kernels.hull(v.data(), some, 5, kSize, hull.row[0], hull.row[1], hull.row[2]);
  return out;
}

TEST(Kernels, EveryLevelGivesTheSameBits) {
  const KernelLevels levels = AvailableKernels();
  ASSERT_GE(levels.count, 1);
  const std::vector<double> expected = RunAll(*levels.level[0]);
  for (int n = 1; n < levels.count; ++n) {
    const std::vector<double> got = RunAll(*levels.level[n]);
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], expected[i]) << n << " " << i;
  }
}

TEST(Kernels, DotSumsInOrder) {
  const auto k = RandomValues(kPanel * 3, 1, 4);
  const auto q = RandomValues(kQuad * 3, 1, 5);
  std::vector<double> out(kQuad * kPanel), absolute(kQuad * kPanel), squares(kQuad * kPanel);
  const auto quad = [](std::vector<double>& x) {
    return Quad{{&x[0], &x[kPanel], &x[2 * kPanel], &x[3 * kPanel]}};
  };
  const Quad a = quad(absolute), b = quad(squares);
  SelectKernels().dot(k.data(), 1, 3, q.data(), quad(out), &a, &b);
  for (int64_t r = 0; r < kQuad; ++r) {
    for (int64_t j = 0; j < kPanel; ++j) {
      double sum = 0, sum_abs = 0, sum_sq = 0;
      for (int64_t t = 0; t < 3; ++t) {
        const double product = k[t * kPanel + j] * q[t * kQuad + r];
        sum += product;
        sum_abs += std::fabs(product);
        sum_sq += product * product;
      }
      EXPECT_EQ(out[r * kPanel + j], sum);
      EXPECT_EQ(absolute[r * kPanel + j], sum_abs);
      EXPECT_EQ(squares[r * kPanel + j], sum_sq);
    }
  }
}

TEST(Kernels, ExponentialIsExactToFourUnits) {
  std::vector<double> x, p(1 << 16);
  std::mt19937 random(6);
  for (int n = 0; n < 1 << 16; ++n) x.push_back(-std::ldexp(random() * 0x1p-32, n % 20 - 10));
  SelectKernels().exponential(x.data(), 1 << 16, 0, p.data());
  double worst = 0;
  for (int n = 0; n < 1 << 16; ++n) {
    const long double exact = std::exp(static_cast<long double>(x[n]));
    worst = std::fmax(worst, static_cast<double>(std::fabs(p[n] - exact) / exact));
  }
  std::printf("exp: worst relative error %.2f units\n", worst * 0x1p53);
  EXPECT_LE(worst, 4 * 0x1p-53);
}

TEST(Kernels, ExponentialAtItsEnds) {
  std::vector<double> x(16, 0.0), p(16);
  x[0] = -kInfinity;
  x[1] = -1000;
  x[2] = -720;
  x[3] = std::numeric_limits<double>::quiet_NaN();
  SelectKernels().exponential(x.data(), 16, 0, p.data());
  EXPECT_EQ(p[0], 0);
  EXPECT_EQ(p[1], 0);
  EXPECT_NEAR(p[2], std::exp(-720.0), 1e-323);
  EXPECT_TRUE(std::isnan(p[3]));
  EXPECT_EQ(p[4], 1);
}

TEST(Kernels, SoftcapIsExactToEightUnits) {
  constexpr double kCap = 20;
  std::vector<double> x = RandomValues(1 << 14, 1, 7);
  for (size_t n = 0; n < x.size(); ++n) x[n] = std::ldexp(x[n], static_cast<int>(n % 24) - 16);
  std::vector<double> y = x;
  SelectKernels().softcap(y.data(), std::ssize(y), kCap);
  double worst = 0;
  for (size_t n = 0; n < x.size(); ++n) {
    const long double exact = kCap * std::tanh(static_cast<long double>(x[n]) / kCap);
    worst = std::fmax(worst, static_cast<double>(std::fabs((y[n] - exact) / exact)));
  }
  std::printf("softcap: worst relative error %.2f units\n", worst * 0x1p53);
  EXPECT_LE(worst, 8 * 0x1p-53);
}

TEST(Kernels, ErrorsMatchTheFormula) {
  const std::vector<double> product(16, 2), raw(16, 3), score(16, -4), p(16, 0.0625);
  for (const double u : {1e-6, 1e-3, 0.05, 50.0}) {
    std::vector<double> weighted(16), spread(16), relative(16);
    const ErrorCoefficients k{u,         2 * u,     3 * u,     4 * u,     u, u * u,
                              4 * u * u, 9 * u * u, 2 * u * u, 7 * u * u, 1};
    const ErrorSums sums =
        SelectKernels().errors({product.data(), raw.data(), score.data(), p.data(), weighted.data(),
                                spread.data(), relative.data()},
                               16, k);
    const double e = std::fmin(100, u * (2 + 6 + 12 + 20 + 1));
    const double sigma = std::fmin(100, kLambda * u * std::sqrt(4 + 36 + 144 + 50 + 7));
    EXPECT_NEAR(sums.largest / e, 1, 1e-12);
    EXPECT_NEAR(sums.rho / std::expm1(e), 1, 1e-12);
    EXPECT_NEAR(relative[5] / std::expm1(e), 1, 1e-12);
    EXPECT_NEAR(spread[5] / (0.0625 * std::expm1(sigma) / kLambda), 1, 1e-12);
  }
}

}  // namespace
}  // namespace attest::reference
