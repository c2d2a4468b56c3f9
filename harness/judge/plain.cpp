// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/plain.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "harness/core/convert.h"
#include "harness/judge/probes.h"
#include "harness/judge/visibility.h"

namespace attest::judge {
namespace {

const attest_tensor* FindTensor(std::span<const attest_tensor* const> tensors, int32_t role) {
  for (const attest_tensor* tensor : tensors)
    if (tensor->role == role && tensor->data != nullptr) return tensor;
  return nullptr;
}

const attest_tensor& GetTensor(std::span<const attest_tensor* const> tensors, int32_t role) {
  const attest_tensor* tensor = FindTensor(tensors, role);
  if (tensor == nullptr) throw std::invalid_argument("ComputePlain needs Q, K and V with data");
  return *tensor;
}

template <typename Real>
class Plain {
 public:
  Plain(const attest_problem& problem, std::span<const attest_tensor* const> tensors)
      : p_(problem),
        q_(GetTensor(tensors, ATTEST_ROLE_Q)),
        k_(GetTensor(tensors, ATTEST_ROLE_K)),
        v_(GetTensor(tensors, ATTEST_ROLE_V)),
        mask_(problem.attn_mask == ATTEST_MASK_ADDITIVE ? FindTensor(tensors, ATTEST_ROLE_MASK)
                                                        : nullptr),
        visibility_(problem, tensors),
        keys_(static_cast<size_t>(k_.shape[2] * k_.shape[3])),
        values_(static_cast<size_t>(v_.shape[2] * v_.shape[3])),
        scores_(static_cast<size_t>(p_.kv_sequence_length)) {}

  void Row(int64_t row, double* output, double* absolute) {
    const int64_t i = row % p_.q_sequence_length, head = row / p_.q_sequence_length;
    const int64_t b = head / p_.q_num_heads, h = head % p_.q_num_heads;
    ReadHead(b, h / (p_.q_num_heads / p_.kv_num_heads));
    if (visibility_.Row(b, h, i, flags_) == 0) return;
    Score(b, h, i);
    Softmax();
    Multiply(output, absolute);
  }

 private:
  Real Rounded(Real value) const {
    if (p_.dtype == ATTEST_F16) return static_cast<Real>(FromF16(ToF16(value)));
    if (p_.dtype == ATTEST_BF16) return static_cast<Real>(FromBf16(ToBf16(value)));
    return value;
  }

  // K, scaled and transposed so that keys lie side by side, and V.
  void ReadHead(int64_t b, int64_t h) {
    if (b == batch_ && h == head_) return;
    batch_ = b;
    head_ = h;
    const int64_t keys = k_.shape[2], wide = v_.shape[3];
    for (int64_t j = 0; j < keys; ++j) {
      for (int64_t t = 0; t < k_.shape[3]; ++t)
        keys_[static_cast<size_t>(t * keys + j)] =
            Rounded(static_cast<Real>(LoadElement(k_.data, k_.dtype, OffsetOf(k_, b, h, j, t))) *
                    static_cast<Real>(p_.scale));
      for (int64_t c = 0; c < wide; ++c)
        values_[static_cast<size_t>(j * wide + c)] =
            static_cast<Real>(LoadElement(v_.data, v_.dtype, OffsetOf(v_, b, h, j, c)));
    }
  }

  void Score(int64_t b, int64_t h, int64_t i) {
    const auto keys = static_cast<int64_t>(scores_.size());
    std::fill(scores_.begin(), scores_.end(), Real{0});
    for (int64_t t = 0; t < k_.shape[3]; ++t) {
      const auto q = static_cast<Real>(LoadElement(q_.data, q_.dtype, OffsetOf(q_, b, h, i, t)));
      const Real* row = keys_.data() + t * keys;
      for (int64_t j = 0; j < keys; ++j) scores_[static_cast<size_t>(j)] += q * row[j];
    }
    const auto cap = static_cast<Real>(p_.softcap);
    for (int64_t j = 0; j < keys; ++j) {
      Real& score = scores_[static_cast<size_t>(j)];
      score = Rounded(score);
      if (cap > 0) score = Rounded(Rounded(std::tanh(Rounded(score / cap))) * cap);
      if (mask_ != nullptr)
        score = Rounded(score + static_cast<Real>(LoadElement(mask_->data, mask_->dtype,
                                                              OffsetOf(*mask_, b, h, i, j))));
      if (flags_[static_cast<size_t>(j)] == 0) score = -INFINITY;
    }
  }

  void Softmax() {
    const Real maximum = *std::max_element(scores_.begin(), scores_.end());
    Real sum = 0;
    for (Real& score : scores_) sum += score = std::exp(score - maximum);
    for (Real& score : scores_) score /= sum;
  }

  void Multiply(double* output, double* absolute) const {
    const auto wide = static_cast<size_t>(v_.shape[3]);
    std::vector<Real> sums(wide), sizes(wide);
    for (size_t j = 0; j < scores_.size(); ++j) {
      const Real p = Rounded(scores_[j]), exact = scores_[j];
      if (flags_[j] == 0) continue;
      for (size_t c = 0; c < wide; ++c) {
        sums[c] += p * values_[j * wide + c];
        sizes[c] += exact * std::fabs(values_[j * wide + c]);
      }
    }
    for (size_t c = 0; c < wide; ++c) {
      output[c] = Rounded(sums[c]);
      absolute[c] = sizes[c];
    }
  }

  const attest_problem& p_;
  const attest_tensor &q_, &k_, &v_;
  const attest_tensor* mask_;
  Visibility visibility_;
  std::vector<Real> keys_, values_, scores_;
  std::vector<uint8_t> flags_;
  int64_t batch_ = -1, head_ = -1;  // that keys_ and values_ hold
};

}  // namespace

PlainRun ComputePlain(const attest_problem& problem, std::span<const attest_tensor* const> tensors,
                      const std::vector<int64_t>& rows, unsigned threads) {
  const auto wide = static_cast<size_t>(problem.v_head_size);
  PlainRun run;
  run.output.resize(rows.size() * wide);
  run.absolute.resize(rows.size() * wide);
  auto compute = [&](auto real) {
    ForRows(static_cast<int64_t>(rows.size()), threads, [&](int64_t first, int64_t last) {
      Plain<decltype(real)> plain(problem, tensors);
      for (auto at = static_cast<size_t>(first); at < static_cast<size_t>(last); ++at)
        plain.Row(rows[at], run.output.data() + at * wide, run.absolute.data() + at * wide);
    });
  };
  if (problem.dtype == ATTEST_F64)
    compute(double{});
  else
    compute(float{});
  return run;
}

}  // namespace attest::judge
