// SPDX-License-Identifier: Apache-2.0
//
// Which keys a query row sees, by the interface's rule (abi.h, attest_problem): a range of keys,
// and a mask within it. Written for the exact probes and shares nothing with the reference's own
// rule.
#ifndef ATTEST_HARNESS_JUDGE_VISIBILITY_H_
#define ATTEST_HARNESS_JUDGE_VISIBILITY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "attest/abi.h"

namespace attest::judge {

struct KeyRange {
  int64_t first = 0, last = 0;  // [first, last)
  int64_t size() const { return last - first; }
};

class Visibility {
 public:
  // `tensors`: with data for MASK and KV_LENGTHS where the problem has them; their data must
  // outlive this. Throws std::invalid_argument where one is missing.
  Visibility(const attest_problem& problem, std::span<const attest_tensor* const> tensors);

  // Keys that causality, windows and lengths leave to row i of batch entry b.
  KeyRange RangeOf(int64_t b, int64_t i) const;
  // A mask hides keys within the ranges.
  bool masked() const { return mask_.has_value(); }
  // flags[j] = 1 where row (b, h, i) sees key j; [Lk]. Returns how many it sees. O(Lk).
  int64_t Row(int64_t b, int64_t h, int64_t i, std::vector<uint8_t>& flags) const;
  // Two heads h of one batch entry (two batch entries) may see different keys in the same row.
  bool differs_by_head() const { return mask_.has_value() && mask_->strides[1] != 0; }
  bool differs_by_batch() const {
    return lengths_ != nullptr || (mask_.has_value() && mask_->strides[0] != 0);
  }
  // Greatest minus least finite value of an additive mask; 0 without one.
  double bias_range() const { return bias_range_; }

 private:
  attest_problem problem_;
  std::optional<attest_tensor> mask_;
  const int64_t* lengths_ = nullptr;
  double bias_range_ = 0;
};

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_VISIBILITY_H_
