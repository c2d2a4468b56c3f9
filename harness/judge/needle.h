// SPDX-License-Identifier: Apache-2.0
//
// The needle probe: every row's query points at one key it sees, so far above all others that exp
// underflows for them: the weights are exactly one-hot and the output is V of that key. The query
// points even more at a key that the row must not see, next to the mask's edge: an edge off by one
// answers with that one.
//
// Exact in this sense: V is small integers, and got must be V within the few roundings that p v / l
// of a single key can make under the contract: no bit of bf16 and f16, a few units in the last
// place of f32.
#ifndef ATTEST_HARNESS_JUDGE_NEEDLE_H_
#define ATTEST_HARNESS_JUDGE_NEEDLE_H_

#include <optional>

#include "harness/judge/codes.h"
#include "harness/judge/probes.h"
#include "harness/judge/visibility.h"

namespace attest::judge {

class Needle : public Probe {
 public:
  Needle(const attest_problem& problem, std::shared_ptr<const Visibility> visibility,
         const ProbeOptions& options);

  std::string_view name() const override { return "needle"; }
  int passes() const override { return applies_ ? 1 : 0; }
  const std::string& reason() const override { return reason_; }
  std::string Exempts(const reference::Rounding& rounding) const override;
  bool Fills(int32_t role) const override {
    return role == ATTEST_ROLE_Q || role == ATTEST_ROLE_K || role == ATTEST_ROLE_V;
  }
  void Fill(int pass, const attest_tensor& tensor) const override;
  std::string Check(int pass, const attest_tensor& out,
                    const reference::Rounding& rounding) const override;

 private:
  // What a row points at. key -1: it sees no key (kDead), or no needle was found for it (kOpen).
  struct Target {
    int32_t key = -1;
    int32_t forbidden = -1;  // -1 = none
    // Grid with a forbidden key: the query lies there, or a quarter step from there: along axis
    // |nudge| - 1, up or down by its sign.
    int32_t nudge = 0;
  };
  static constexpr int32_t kDead = -1, kOpen = -2;

  std::string Prepare();
  void PlanRows(unsigned threads);
  Target PlanRow(int64_t b, int64_t h, int64_t i, std::vector<uint8_t>& flags) const;
  Target PlanCodes(int64_t row, int64_t forbidden, const KeyRange& range,
                   const std::vector<uint8_t>& flags) const;
  Target PlanGrid(int64_t row, int64_t head, int64_t forbidden, const KeyRange& range,
                  const std::vector<uint8_t>& flags) const;
  bool IsNearest(Target& target, int64_t head, const KeyRange& range,
                 const std::vector<uint8_t>& flags) const;
  bool StandsOut(const Target& target, const KeyRange& range,
                 const std::vector<uint8_t>& flags) const;
  int64_t PickKey(int64_t row, int64_t attempt, const KeyRange& range,
                  const std::vector<uint8_t>& flags) const;
  int64_t PickForbidden(int64_t row, const KeyRange& range,
                        const std::vector<uint8_t>& flags) const;

  int64_t KvHead(int64_t h) const { return h / (problem_.q_num_heads / problem_.kv_num_heads); }
  int64_t KvNumber(int64_t b, int64_t h) const {
    return b * problem_.kv_num_heads + h;
  }  // of a kv head
  const Target& TargetOf(int64_t b, int64_t h, int64_t i) const;
  double KeyElement(int64_t kv, int64_t key, int64_t t) const;
  double QueryElement(int64_t kv, const Target& target, int64_t t) const;
  double ValueElement(int64_t kv, int64_t key, int64_t c) const;
  int Flip(int64_t kv, int64_t t) const;
  double Tolerance(const reference::Rounding& rounding) const;
  std::string WrongRow(const attest_tensor& out, int64_t b, int64_t h, int64_t i,
                       const Target& target) const;
  std::string WhoAnswered(const attest_tensor& out, int64_t b, int64_t h, int64_t i,
                          double close) const;

  attest_problem problem_;
  std::shared_ptr<const Visibility> visibility_;
  ProbeOptions options_;
  std::optional<Codes> codes_;  // one of the two
  std::optional<Grid> grid_;
  double query_scale_ = 0;      // codes: a quarter of q's amplitude; grid: A
  int64_t least_distance_ = 0;  // codes: by which the key must be nearer
  bool applies_ = false;
  std::string reason_;
  std::vector<Target> targets_;  // [planned batch entries, planned heads, Lq]
  int64_t planned_batches_ = 1, planned_heads_ = 1;
};

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_NEEDLE_H_
