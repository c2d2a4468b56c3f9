// SPDX-License-Identifier: Apache-2.0
#include "harness/vectors/scores.h"

#include <cmath>
#include <limits>

#include "harness/core/convert.h"

namespace attest::vectors {
namespace {

struct Pair {
  int64_t b = 0, h = 0, i = 0, j = 0;
};

class Loops {
 public:
  Loops(const Case& vector, const reference::Rounding& rounding)
      : p_(vector.cell.problem), stage_(vector.stage), rounding_(rounding) {
    for (const attest_tensor& tensor : InputsWithData(vector.given)) {
      if (tensor.role == ATTEST_ROLE_Q) q_ = tensor;
      if (tensor.role == ATTEST_ROLE_K) k_ = tensor;
      if (tensor.role == ATTEST_ROLE_MASK) mask_ = tensor;
      if (tensor.role == ATTEST_ROLE_KV_LENGTHS)
        lengths_ = static_cast<const int64_t*>(tensor.data);
    }
  }

  Scores Run() const {
    Scores scores;
    for (int64_t b = 0; b < p_.batch_size; ++b)
      for (int64_t h = 0; h < p_.q_num_heads; ++h)
        for (int64_t i = 0; i < p_.q_sequence_length; ++i)
          for (int64_t j = 0; j < p_.kv_sequence_length; ++j) Add({b, h, i, j}, scores);
    return scores;
  }

 private:
  int64_t MaskIndex(const Pair& at) const {
    return at.b * mask_.strides[0] + at.h * mask_.strides[1] + at.i * mask_.strides[2] +
           at.j * mask_.strides[3];
  }

  // The rules of attest_problem.
  bool Visible(const Pair& at) const {
    if (lengths_ != nullptr && at.j >= lengths_[at.b]) return false;
    const int64_t offset =
        lengths_ != nullptr ? lengths_[at.b] - p_.q_sequence_length : p_.causal_offset;
    const int64_t own = at.i + offset;
    if (p_.is_causal && at.j > own) return false;
    if (p_.left_window_size >= 0 && at.j < own - p_.left_window_size) return false;
    if (p_.right_window_size >= 0 && at.j > own + p_.right_window_size) return false;
    return p_.attn_mask != ATTEST_MASK_BOOLEAN ||
           static_cast<const uint8_t*>(mask_.data)[MaskIndex(at)] != 0;
  }

  // Error of a score through the stages: each of them rounds, and tanh has a slope of at most 1.
  void Add(const Pair& at, Scores& scores) const {
    const int64_t kv_head = at.h / (p_.q_num_heads / p_.kv_num_heads);
    double sum = 0, absolute = 0;
    for (int64_t t = 0; t < p_.head_size; ++t) {
      const double product =
          Load(q_, at.b, at.h, at.i, t) * Load(k_, at.b, kv_head, at.j, t) * p_.scale;
      sum += product;
      absolute += std::fabs(product);
    }
    const reference::Rounding& r = rounding_;
    const double n = static_cast<double>(p_.head_size + 2) * r.u_acc;
    double value = sum;
    double error =
        absolute * (n / (1 - n) + 2 * r.u_op + r.u_op * r.u_op) + r.u_acc * std::fabs(sum);
    if (p_.softcap > 0 && stage_ != ScoreStage::kProduct) {
      value = p_.softcap * std::tanh(sum / p_.softcap);
      error += 8 * r.u_acc * p_.softcap;
    }
    if (stage_ == ScoreStage::kMasked && p_.attn_mask == ATTEST_MASK_ADDITIVE) {
      value += LoadElement(mask_.data, mask_.dtype, MaskIndex(at));
      error += r.u_acc * std::fabs(value);
    }
    if (stage_ == ScoreStage::kMasked && !Visible(at))
      value = -std::numeric_limits<double>::infinity();
    scores.value.push_back(value);
    scores.bound.push_back(std::isinf(value) ? 0 : error + r.u_out * std::fabs(value) + r.eta_out);
  }

  static double Load(const attest_tensor& x, int64_t b, int64_t h, int64_t l, int64_t c) {
    return LoadElement(x.data, x.dtype,
                       b * x.strides[0] + h * x.strides[1] + l * x.strides[2] + c * x.strides[3]);
  }

  const attest_problem& p_;
  ScoreStage stage_;
  const reference::Rounding& rounding_;
  attest_tensor q_{}, k_{}, mask_{};
  const int64_t* lengths_ = nullptr;
};

}  // namespace

Scores ComputeScores(const Case& vector, const reference::Rounding& rounding) {
  return Loops(vector, rounding).Run();
}

}  // namespace attest::vectors
