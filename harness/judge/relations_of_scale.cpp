// SPDX-License-Identifier: Apache-2.0
//
// Powers of two move through attention without rounding: every product, sum and quotient has the
// same significand. V times 2 gives OUT times 2; Q times 4 with a quarter of the scale gives the
// same scores (4, because its square root is a power of two as well: some kernels put sqrt(scale)
// on both operands). Bits are compared, on every row.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "harness/judge/relations.h"

#ifdef __FAST_MATH__
#error "the verifier must not be compiled with fast-math: NaN and rounding are its business"
#endif

namespace attest::judge {
namespace {

constexpr double kQueryFactor = 4, kValueFactor = 2;
constexpr double kMostHalf = 60000;  // below f16's overflow
constexpr double kLeastHalf = 0x1p-14, kLeastSingle = 0x1p-126, kLeastDouble = 0x1p-1022;  // normal

double Largest(const std::vector<double>& values) {
  double largest = 0;
  for (double value : values) largest = std::max(largest, std::fabs(value));
  return largest;
}

double LargestOf(int32_t dtype) {
  return dtype == ATTEST_F16 ? kMostHalf : dtype == ATTEST_F64 ? 0x1p1000 : 0x1p120;
}

double LeastNormal(int32_t dtype) {
  return dtype == ATTEST_F16 ? kLeastHalf : dtype == ATTEST_F64 ? kLeastDouble : kLeastSingle;
}

// Why bits may differ for that arithmetic.
std::string WhyNotToTheBit(const Trial& trial, int32_t dtype) {
  if (!trial.is_deterministic()) return "declared nondeterministic";
  if (dtype != ATTEST_F16 && (trial.contract.operands == ATTEST_FORMAT_F16 ||
                              trial.contract.accumulate == ATTEST_FORMAT_F16))
    return "f16 inside: small values round to a fixed grid there";
  return "";
}

void Multiply(std::vector<double>& values, double factor) {
  for (double& value : values) value *= factor;
}

// Where after != factor * before; `after` below the normal range may be off by the roundings of
// both.
std::string Unequal(const std::vector<double>& before, const std::vector<double>& after,
                    double factor, const Trial& trial, int32_t dtype, int64_t columns) {
  size_t wrong = 0, first = 0;
  for (size_t n = 0; n < before.size(); ++n) {
    const double wanted = factor * before[n];
    const bool fixed_grid = factor != 1 && std::fabs(after[n]) < 4 * LeastNormal(dtype);
    const bool ok = after[n] == wanted || (fixed_grid && std::fabs(after[n] - wanted) <=
                                                             (1 + factor) * trial.format.eta_out);
    if (!ok && wrong++ == 0) first = n;
  }
  if (wrong == 0) return "";
  const auto at = static_cast<int64_t>(first);
  return fmt::format(
      "{} of {} elements are not the same bits; first: row {}, column {}: {:.9g}, not {:.9g}",
      wrong, before.size(), at / columns, at % columns, after[first], factor * before[first]);
}

class Scaling : public Relation {
 public:
  Scaling(const HeadProblem& head, bool values)
      : is_value_(values), problem_(head.problem), dtype_(head.problem.dtype) {
    HeadProblem changed = head;
    if (is_value_) {
      Multiply(changed.v, kValueFactor);
      overflows_ = !(Largest(changed.v) < LargestOf(dtype_));
    } else {
      Multiply(changed.q, kQueryFactor);
      changed.problem.scale /= kQueryFactor;
      overflows_ = !(Largest(changed.q) < LargestOf(dtype_));
      largest_score_ =
          Largest(changed.q) * Largest(changed.k) * static_cast<double>(problem_.head_size);
    }
    if (!overflows_) case_ = MakeSideCase(changed, {});
  }

  std::string_view name() const override { return is_value_ ? "value_scaling" : "query_scaling"; }
  int calls() const override { return 1; }

  Finding Check(const Trial& trial) const override {
    std::string why = WhyNotToTheBit(trial, dtype_);
    if (overflows_) why = "the io type does not hold the scaled values";
    if (trial.contract.scores == ATTEST_FORMAT_F16 && !(largest_score_ < kMostHalf))
      why = "scores stored in f16 could overflow";
    if (!why.empty()) return {"not_applicable", why};
    const SideOutput output = CallSide(trial.contender, case_);
    if (const auto unusable = Unusable(output)) return *unusable;
    const double factor = is_value_ ? kValueFactor : 1;
    const std::string unequal =
        Unequal(trial.out, output.out, factor, trial, dtype_, problem_.v_head_size);
    const std::string what =
        is_value_ ? "V times 2"
                  : fmt::format("Q times {:g}, scale {:g} in place of {:g}", kQueryFactor,
                                problem_.scale / kQueryFactor, problem_.scale);
    return {unequal.empty() ? "pass" : "fail",
            unequal.empty() ? what : fmt::format("{}: {}", what, unequal)};
  }

 private:
  bool is_value_;
  attest_problem problem_;
  int32_t dtype_;
  bool overflows_ = false;
  double largest_score_ = 0;
  SideCase case_;
};

}  // namespace

std::unique_ptr<Relation> MakeQueryScaling(const HeadProblem& head) {
  return std::make_unique<Scaling>(head, false);
}

std::unique_ptr<Relation> MakeValueScaling(const HeadProblem& head) {
  return std::make_unique<Scaling>(head, true);
}

}  // namespace attest::judge
