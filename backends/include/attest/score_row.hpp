// SPDX-License-Identifier: Apache-2.0
//
// Rows of f32 products q.k become rows of scores: scale, softcap, boolean and additive masks of any
// strides, as abi.h orders them. Hidden keys become -inf. The span of keys that position rules
// leave is sdpa.hpp's business; exp and sums are softmax_row.hpp's.
#ifndef ATTEST_SCORE_ROW_HPP_
#define ATTEST_SCORE_ROW_HPP_

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "attest/abi.h"
#include "attest/half.hpp"
#include "attest/sdpa.hpp"
#include "attest/softmax_row.hpp"

namespace attest {

// When the scale is applied: in the exponent, at no cost, where nothing comes between it and exp
// and it keeps the order of the products; else before softcap and mask.
class Scoring {
 public:
  explicit Scoring(const attest_problem& problem)
      : scale_(static_cast<float>(problem.scale)),
        softcap_(static_cast<float>(problem.softcap)),
        mask_(problem.attn_mask),
        scale_first_(problem.scale < 0 || softcap_ > 0 || mask_ == ATTEST_MASK_ADDITIVE),
        exponent_factor_(
            static_cast<float>((scale_first_ ? 1.0 : problem.scale) * std::numbers::log2e)) {}

  // Whether Apply has anything to do.
  bool has_steps() const { return scale_first_ || mask_ != ATTEST_MASK_NONE; }
  // exp(score - maximum) = 2^((x - greatest x) * exponent_factor()), x being what Apply leaves.
  float exponent_factor() const { return exponent_factor_; }
  // LSE of a row whose x have that maximum, and whose exponentials have that sum.
  float Lse(float maximum, float sum) const {
    return (scale_first_ ? 1.0f : scale_) * maximum + std::log(sum);
  }

  // Products of query row (b, h, i) with keys [first, first + count) become scores, in place.
  // `mask` is the bound tensor where the problem has one.
  template <typename Io>
  void Apply(const attest_tensor& mask, int64_t b, int64_t h, int64_t i, int64_t first,
             int64_t count, float* row) const {
    if (scale_first_) ScaleRow(row, count, scale_);
    if (softcap_ > 0) SoftcapRow(row, count, softcap_);
    const int64_t step = mask_ == ATTEST_MASK_NONE ? 0 : mask.strides[3];
    if (mask_ == ATTEST_MASK_BOOLEAN)
      Hide(RowOf<uint8_t>(mask, b, h, i) + first * step, step, count, row);
    if (mask_ == ATTEST_MASK_ADDITIVE)
      Add(RowOf<Io>(mask, b, h, i) + first * step, step, count, row);
  }

 private:
  // Steps of 1 have loops of their own, so that the compiler vectorises them.
  static void Hide(const uint8_t* seen, int64_t step, int64_t count, float* row) {
    constexpr float kHidden = -std::numeric_limits<float>::infinity();
    if (step == 1)
      for (int64_t j = 0; j < count; ++j) row[j] = seen[j] != 0 ? row[j] : kHidden;
    else
      for (int64_t j = 0; j < count; ++j) row[j] = seen[j * step] != 0 ? row[j] : kHidden;
  }

  template <typename Io>
  static void Add(const Io* bias, int64_t step, int64_t count, float* row) {
    if (step == 1)
      for (int64_t j = 0; j < count; ++j) row[j] += Widen(bias[j]);
    else
      for (int64_t j = 0; j < count; ++j) row[j] += Widen(bias[j * step]);
  }

  float scale_;
  float softcap_;
  int32_t mask_;
  bool scale_first_;
  float exponent_factor_;
};

}  // namespace attest

#endif  // ATTEST_SCORE_ROW_HPP_
