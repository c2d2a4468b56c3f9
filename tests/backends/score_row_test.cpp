// SPDX-License-Identifier: Apache-2.0
//
// Products become scores in the order of abi.h, for every combination of scale, softcap and mask
// and every stride of a mask, against the same formula in double precision.
#include "attest/score_row.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace attest {
namespace {

constexpr int64_t kKeys = 37;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A mask of [1, 2, 3, keys] elements with that step along the keys.
template <typename T>
struct Mask {
  explicit Mask(int64_t step) : elements(6 * kKeys * 3 + 1) {
    tensor.data = elements.data();
    const int64_t strides[] = {0, 3 * kKeys * step, kKeys * step, step};
    std::copy(strides, strides + 4, tensor.strides);
  }
  T& At(int64_t h, int64_t i, int64_t j) {
    return elements[h * tensor.strides[1] + i * tensor.strides[2] + j * tensor.strides[3]];
  }
  std::vector<T> elements;
  attest_tensor tensor{};
};

double ScoreOf(const attest_problem& problem, double product, double bias) {
  double score = problem.scale * product;
  if (problem.softcap > 0) score = problem.softcap * std::tanh(score / problem.softcap);
  return score + bias;
}

// Applies the steps to keys [first, first + count) of row (h = 1, i = 2) and compares exponents.
template <typename Io>
void ExpectScores(const attest_problem& problem, const attest_tensor& mask,
                  const std::vector<double>& bias) {
  const Scoring scoring(problem);
  constexpr int64_t kFirst = 3;
  constexpr int64_t kCount = 31;
  std::vector<float> row(kCount + 1, 99.0f);
  for (int64_t j = 0; j < kCount; ++j) row[j] = static_cast<float>((j * 11) % 17 - 8);
  const std::vector<float> products = row;
  scoring.Apply<Io>(mask, 0, 1, 2, kFirst, kCount, row.data());
  for (int64_t j = 0; j < kCount; ++j) {
    const double expected = ScoreOf(problem, products[j], bias[kFirst + j]) / std::numbers::ln2;
    const double got = static_cast<double>(row[j]) * scoring.exponent_factor();
    const double lse = scoring.Lse(row[j], 1.0f) / std::numbers::ln2;
    if (std::isinf(expected)) {
      ASSERT_EQ(got, expected);
      ASSERT_EQ(lse, expected);
    } else {
      ASSERT_NEAR(got, expected, 1e-5) << j;
      ASSERT_NEAR(lse, expected, 1e-5) << j;
    }
  }
  EXPECT_EQ(row[kCount], 99.0f);
}

template <typename Body>
void ForEachRule(int32_t attn_mask, const Body& body) {
  for (const double scale : {0.125, -0.3, 1.0})
    for (const double softcap : {0.0, 2.0}) {
      attest_problem problem{};
      problem.scale = scale;
      problem.softcap = softcap;
      problem.attn_mask = attn_mask;
      body(problem);
    }
}

TEST(Scoring, WithoutMask) {
  ForEachRule(ATTEST_MASK_NONE, [](const attest_problem& problem) {
    ExpectScores<float>(problem, attest_tensor{}, std::vector<double>(kKeys, 0.0));
    EXPECT_EQ(Scoring(problem).has_steps(), problem.scale < 0 || problem.softcap > 0);
  });
}

TEST(Scoring, BooleanMaskOfAnyStride) {
  for (const int64_t step : {0, 1, 3}) {
    Mask<uint8_t> mask(step);
    std::vector<double> bias(kKeys);
    for (int64_t j = 0; j < kKeys; ++j) mask.At(1, 2, j) = j % 3 != 1;
    for (int64_t j = 0; j < kKeys; ++j) bias[j] = mask.At(1, 2, j) ? 0.0 : -kInfinity;
    ForEachRule(ATTEST_MASK_BOOLEAN, [&](const attest_problem& problem) {
      ExpectScores<Half>(problem, mask.tensor, bias);
    });
  }
}

TEST(Scoring, AdditiveMaskOfAnyStrideAndType) {
  for (const int64_t step : {0, 1, 3}) {
    Mask<float> mask(step);
    Mask<Bfloat16> narrow(step);
    std::vector<double> bias(kKeys);
    for (int64_t j = 0; j < kKeys; ++j) {
      mask.At(1, 2, j) = j % 5 == 2 ? static_cast<float>(-kInfinity) : 0.5f * (j - 9);
      Narrow(mask.At(1, 2, j), &narrow.At(1, 2, j));
    }
    for (int64_t j = 0; j < kKeys; ++j) bias[j] = mask.At(1, 2, j);
    ForEachRule(ATTEST_MASK_ADDITIVE, [&](const attest_problem& problem) {
      ExpectScores<float>(problem, mask.tensor, bias);
      ExpectScores<Bfloat16>(problem, narrow.tensor, bias);
    });
  }
}

}  // namespace
}  // namespace attest
