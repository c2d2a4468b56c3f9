// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/visibility.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "harness/core/convert.h"
#include "harness/core/tensors.h"

namespace attest::judge {
namespace {

const attest_tensor* Find(std::span<const attest_tensor* const> tensors, int32_t role) {
  for (const attest_tensor* tensor : tensors)
    if (tensor->role == role && tensor->data != nullptr) return tensor;
  throw std::invalid_argument(
      "Visibility needs the data of MASK and KV_LENGTHS: pass both tensors");
}

double BiasRange(const attest_tensor& mask) {
  double least = INFINITY, greatest = -INFINITY;
  for (int64_t at = 0; at < ExtentElements(mask); ++at) {
    const double value = LoadElement(mask.data, mask.dtype, at);
    if (!std::isfinite(value)) continue;
    least = std::min(least, value);
    greatest = std::max(greatest, value);
  }
  return greatest > least ? greatest - least : 0;
}

}  // namespace

Visibility::Visibility(const attest_problem& problem, std::span<const attest_tensor* const> tensors)
    : problem_(problem) {
  if (problem.attn_mask != ATTEST_MASK_NONE) mask_ = *Find(tensors, ATTEST_ROLE_MASK);
  if (problem.has_kv_lengths)
    lengths_ = static_cast<const int64_t*>(Find(tensors, ATTEST_ROLE_KV_LENGTHS)->data);
  if (problem.attn_mask == ATTEST_MASK_ADDITIVE) bias_range_ = BiasRange(*mask_);
}

KeyRange Visibility::RangeOf(int64_t b, int64_t i) const {
  const attest_problem& p = problem_;
  KeyRange range{0, p.kv_sequence_length};
  if (lengths_ != nullptr) range.last = std::clamp<int64_t>(lengths_[b], 0, range.last);
  const int64_t offset = lengths_ != nullptr ? lengths_[b] - p.q_sequence_length : p.causal_offset;
  const int64_t here = i + offset;  // the key at the query's own position
  if (p.is_causal) range.last = std::min(range.last, here + 1);
  if (p.right_window_size >= 0) range.last = std::min(range.last, here + p.right_window_size + 1);
  if (p.left_window_size >= 0) range.first = std::max(range.first, here - p.left_window_size);
  range.last = std::max<int64_t>(range.last, 0);
  range.first = std::min(range.first, range.last);
  return range;
}

int64_t Visibility::Row(int64_t b, int64_t h, int64_t i, std::vector<uint8_t>& flags) const {
  flags.assign(static_cast<size_t>(problem_.kv_sequence_length), 0);
  const KeyRange range = RangeOf(b, i);
  if (!mask_) {
    std::fill(flags.begin() + range.first, flags.begin() + range.last, uint8_t{1});
    return range.size();
  }
  const int64_t row = b * mask_->strides[0] + h * mask_->strides[1] + i * mask_->strides[2];
  int64_t seen = 0;
  for (int64_t j = range.first; j < range.last; ++j) {
    const int64_t at = row + j * mask_->strides[3];
    const bool sees = mask_->dtype == ATTEST_BOOL
                          ? static_cast<const uint8_t*>(mask_->data)[at] != 0
                          : LoadElement(mask_->data, mask_->dtype, at) != -INFINITY;
    flags[static_cast<size_t>(j)] = sees;
    seen += sees;
  }
  return seen;
}

}  // namespace attest::judge
