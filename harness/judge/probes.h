// SPDX-License-Identifier: Apache-2.0
//
// Exact probes: inputs whose answer is known without computing attention, for every row and any
// length. They see the structure (which keys, which head, which batch entry, is every row divided
// by its own sum); they see neither scale, bias values, softcap nor precision: those are the
// bound's.
#ifndef ATTEST_HARNESS_JUDGE_PROBES_H_
#define ATTEST_HARNESS_JUDGE_PROBES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attest/abi.h"
#include "reference/oracle.h"

namespace attest::judge {

class Probe {
 public:
  virtual ~Probe() = default;

  // Of the report's check: "needle", "count".
  virtual std::string_view name() const = 0;
  // Calls it takes; 0 = not applicable to this problem, see `reason`.
  virtual int passes() const = 0;
  // Why it does not apply, or what it covers.
  virtual const std::string& reason() const = 0;
  // Why a variant with that arithmetic cannot be held to it; "" = it can.
  virtual std::string Exempts(const reference::Rounding& rounding) const = 0;
  // Whether it has values of its own for that role; else any finite ones will do.
  virtual bool Fills(int32_t role) const = 0;
  // Fills tensor.data of such a role, Q, K or V, for a pass.
  virtual void Fill(int pass, const attest_tensor& tensor) const = 0;
  // The first wrong row of OUT in words, "" = all are right.
  virtual std::string Check(int pass, const attest_tensor& out,
                            const reference::Rounding& rounding) const = 0;
};

struct ProbeOptions {
  unsigned threads = 1;
  uint64_t seed = 1;
  std::vector<reference::Rounding> roundings;  // of those that will be held to it
};

// `tensors`: with data for MASK and KV_LENGTHS where the problem has them; the data must outlive
// the probes. Every probe comes back, applicable or not. Throws std::invalid_argument where one is
// missing.
std::vector<std::unique_ptr<Probe>> MakeProbes(const attest_problem& problem,
                                               std::span<const attest_tensor* const> tensors,
                                               const ProbeOptions& options);

// Runs body(first, last) over [0, count) on that many threads.
void ForRows(int64_t count, unsigned threads, const std::function<void(int64_t, int64_t)>& body);

// n u / (1 - n u): the relative error of n roundings; infinite where the format cannot count that
// far.
double Gamma(double n, double u);

// Element [b, h, i, c] of a tensor of rank 4.
inline int64_t OffsetOf(const attest_tensor& t, int64_t b, int64_t h, int64_t i, int64_t c) {
  return b * t.strides[0] + h * t.strides[1] + i * t.strides[2] + c * t.strides[3];
}

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_PROBES_H_
