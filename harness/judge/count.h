// SPDX-License-Identifier: Apache-2.0
//
// The count probe: Q = 0 makes all weights of a row equal, and V holds ones and zeros: an output
// times the number of keys that the row sees is the number of ones among them. It counts: a key too
// many or too few, a key twice, another head's or batch entry's keys all change the figures.
//
// Exact in this sense: columns hold so few ones that got * keys names one integer under the
// contract's roundings, which must be the right one, reached within those roundings. Column 0 is
// all ones: the row's weights sum to 1.
#ifndef ATTEST_HARNESS_JUDGE_COUNT_H_
#define ATTEST_HARNESS_JUDGE_COUNT_H_

#include "harness/judge/probes.h"
#include "harness/judge/visibility.h"

namespace attest::judge {

class Count : public Probe {
 public:
  Count(const attest_problem& problem, std::shared_ptr<const Visibility> visibility,
        const ProbeOptions& options);

  std::string_view name() const override { return "count"; }
  int passes() const override { return passes_; }
  const std::string& reason() const override { return reason_; }
  std::string Exempts(const reference::Rounding& rounding) const override;
  bool Fills(int32_t role) const override { return role == ATTEST_ROLE_Q || role == ATTEST_ROLE_V; }
  void Fill(int pass, const attest_tensor& tensor) const override;
  std::string Check(int pass, const attest_tensor& out,
                    const reference::Rounding& rounding) const override;

 private:
  // Rows of one batch entry and head, or part of them, counted in order.
  void CountRows(int64_t b, int64_t h);
  bool HasOne(int64_t kv, int64_t key, int64_t column) const;
  void AddKey(int64_t kv, int64_t key, int32_t sign, int32_t* counts) const;
  double RelativeError(const reference::Rounding& rounding) const;
  std::string WrongElement(int pass, const attest_tensor& out, int64_t row, int64_t c) const;
  int64_t KvNumber(int64_t b, int64_t h) const {
    return b * problem_.kv_num_heads + h / (problem_.q_num_heads / problem_.kv_num_heads);
  }

  attest_problem problem_;
  std::shared_ptr<const Visibility> visibility_;
  ProbeOptions options_;
  int passes_ = 0;
  std::string reason_;
  int64_t columns_ = 0;            // of all passes together
  int64_t most_ones_ = 0;          // of a column
  std::vector<uint8_t> ones_;      // [B kv_num_heads, Lk, columns]
  std::vector<int32_t> expected_;  // [rows, columns]: ones among the keys the row sees
  std::vector<int32_t> keys_;      // [rows]: how many it sees
};

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_COUNT_H_
