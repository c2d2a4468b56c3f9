// SPDX-License-Identifier: Apache-2.0
//
// The visibility rules, and the count of visible pairs that follows from them.
#include "reference/mask.h"

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>
#include <string>

#include "reference/oracle.h"

namespace attest::reference {
namespace {

// Offsets and windows are clamped to this, so that sums of three of them cannot overflow.
constexpr int64_t kFar = int64_t{1} << 60;

std::vector<int64_t> ReadLengths(const attest_problem& problem, Tensors tensors) {
  const std::array<int64_t, 1> shape = {problem.batch_size};
  const attest_tensor& tensor = RequireTensor(tensors, ATTEST_ROLE_KV_LENGTHS, ATTEST_I64, shape);
  std::vector<int64_t> lengths;
  for (int64_t b = 0; b < problem.batch_size; ++b) {
    const int64_t length = static_cast<const int64_t*>(tensor.data)[b * tensor.strides[0]];
    if (length < 0 || length > problem.kv_sequence_length) {
      throw std::invalid_argument("KV_LENGTHS[" + std::to_string(b) + "] = " +
                                  std::to_string(length) + " is outside [0, kv_sequence_length]");
    }
    lengths.push_back(length);
  }
  return lengths;
}

}  // namespace

Mask::Mask(const attest_problem& problem, Tensors tensors) : problem_(problem) {
  if (problem.attn_mask != ATTEST_MASK_NONE) {
    const std::array<int64_t, 4> shape = {problem.batch_size, problem.q_num_heads,
                                          problem.q_sequence_length, problem.kv_sequence_length};
    const int32_t dtype = HasBias() ? problem.dtype : int32_t{ATTEST_BOOL};
    mask_ = &RequireTensor(tensors, ATTEST_ROLE_MASK, dtype, shape);
  }
  if (problem.has_kv_lengths != 0) lengths_ = ReadLengths(problem, tensors);
}

KeyRange Mask::Range(int64_t b, int64_t i) const {
  const int64_t offset =
      lengths_.empty() ? problem_.causal_offset : lengths_[b] - problem_.q_sequence_length;
  const int64_t center = i + std::clamp(offset, -kFar, kFar);
  KeyRange range{0, problem_.kv_sequence_length};
  if (problem_.is_causal != 0) range.end = std::min(range.end, center + 1);
  if (problem_.left_window_size >= 0) {
    range.begin = std::max(range.begin, center - std::min(problem_.left_window_size, kFar));
  }
  if (problem_.right_window_size >= 0) {
    range.end = std::min(range.end, center + std::min(problem_.right_window_size, kFar) + 1);
  }
  if (!lengths_.empty()) range.end = std::min(range.end, lengths_[b]);
  range.end = std::max(range.end, range.begin);
  return range;
}

void Mask::Apply(int64_t b, int64_t h, int64_t i, int64_t first, int64_t last,
                 double* scores) const {
  if (mask_ == nullptr) return;
  constexpr double kMasked = -std::numeric_limits<double>::infinity();
  if (HasBias()) {
    std::array<double, 256> bias;
    for (int64_t j = first; j < last; j += std::ssize(bias)) {
      const int64_t end = std::min<int64_t>(last, j + std::ssize(bias));
      ReadRow(*mask_, b, h, i, j, end, bias.data());
      for (int64_t n = 0; n < end - j; ++n) {
        // A masked score is set, not added: NaN + -inf would be NaN.
        double& score = scores[j - first + n];
        score = bias[n] == kMasked ? kMasked : score + bias[n];
      }
    }
    return;
  }
  const uint8_t* row = BoolRow(*mask_, b, h, i);
  const int64_t stride = mask_->strides[3];
  for (int64_t j = first; j < last; ++j) {
    scores[j - first] = row[j * stride] != 0 ? scores[j - first] : kMasked;
  }
}

int64_t Mask::CountVisible(int64_t b, int64_t h, int64_t i) const {
  const KeyRange range = Range(b, i);
  if (problem_.attn_mask != ATTEST_MASK_BOOLEAN) return range.end - range.begin;
  const uint8_t* row = BoolRow(*mask_, b, h, i);
  const int64_t stride = mask_->strides[3];
  int64_t count = 0;
  for (int64_t j = range.begin; j < range.end; ++j) count += row[j * stride] != 0 ? 1 : 0;
  return count;
}

bool Mask::SameForAllHeads() const {
  return problem_.attn_mask != ATTEST_MASK_BOOLEAN || mask_->strides[1] == 0;
}

int64_t CountVisiblePairs(const attest_problem& problem,
                          std::span<const attest_tensor* const> tensors) {
  // An additive mask hides nothing by rule, so its tensor is not needed here.
  attest_problem rules = problem;
  if (rules.attn_mask == ATTEST_MASK_ADDITIVE) rules.attn_mask = ATTEST_MASK_NONE;
  const Mask mask(rules, tensors);
  const bool same = mask.SameForAllHeads();
  const int64_t heads = same ? 1 : problem.q_num_heads;
  int64_t count = 0;
  for (int64_t b = 0; b < problem.batch_size; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t i = 0; i < problem.q_sequence_length; ++i) count += mask.CountVisible(b, h, i);
    }
  }
  return same ? count * problem.q_num_heads : count;
}

int64_t CountNeededKeys(const attest_problem& problem,
                        std::span<const attest_tensor* const> tensors) {
  attest_problem rules = problem;
  rules.attn_mask = ATTEST_MASK_NONE;
  const Mask mask(rules, tensors);
  int64_t count = 0;
  for (int64_t b = 0; b < problem.batch_size; ++b) {
    int64_t seen = 0;  // keys before it are counted, or seen by no query: ranges never move back
    for (int64_t i = 0; i < problem.q_sequence_length; ++i) {
      const KeyRange range = mask.Range(b, i);
      count += std::max<int64_t>(0, range.end - std::max(range.begin, seen));
      seen = std::max(seen, range.end);
    }
  }
  return count;
}

}  // namespace attest::reference
