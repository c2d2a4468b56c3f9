// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/relations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "harness/core/convert.h"

#ifdef __FAST_MATH__
#error "the verifier must not be compiled with fast-math: NaN and rounding are its business"
#endif

namespace attest::judge {
namespace {

// The share of the head in the work of the whole problem.
double ShareOf(const attest_problem& whole, const attest_problem& head) {
  const auto pairs = [](const attest_problem& p) {
    return static_cast<double>(p.batch_size * p.q_num_heads) *
           static_cast<double>(p.q_sequence_length) * static_cast<double>(p.kv_sequence_length);
  };
  return pairs(head) / pairs(whole);
}

Finding CheckOne(const Relation& relation, const Trial& trial) {
  try {
    return relation.Check(trial);
  } catch (const WorkerLost& lost) {
    throw WorkerLost(lost.verdict, fmt::format("{} ({})", lost.what(), relation.name()));
  } catch (const std::runtime_error& error) {
    return {"fail", error.what()};
  }
}

}  // namespace

std::string Deviation(const std::vector<int64_t>& rows, const std::vector<double>& a,
                      const std::vector<double>& b, const std::vector<double>& tolerance) {
  const size_t columns = tolerance.size() / std::max<size_t>(rows.size(), 1);
  size_t beyond = 0, worst = 0, worst_at = 0;
  double greatest = 0;
  for (size_t slot = 0; slot < tolerance.size(); ++slot) {
    const size_t at = static_cast<size_t>(rows[slot / columns]) * columns + slot % columns;
    const double difference = std::fabs(a[at] - b[at]);
    const bool ok = difference <= tolerance[slot];
    if (ok) continue;
    const double ratio = IsNan(difference) ? INFINITY : difference / tolerance[slot];
    if (beyond++ == 0 || ratio > greatest) greatest = ratio, worst = slot, worst_at = at;
  }
  if (beyond == 0) return "";
  return fmt::format(
      "{} of {} elements differ by more than allowed; worst: row {}, column {}: {:.9g} and {:.9g}, "
      "allowed {:.3g}",
      beyond, tolerance.size(), worst_at / columns, worst_at % columns, a[worst_at], b[worst_at],
      tolerance[worst]);
}

std::optional<Finding> Unusable(const SideOutput& output) {
  if (!output.unsupported.empty()) return Finding{"not_applicable", output.unsupported};
  if (!output.wrong.empty()) return Finding{"fail", output.wrong};
  return std::nullopt;
}

Relations::Relations(const Cell& cell, std::span<const attest_tensor* const> tensors,
                     const SideOptions& options)
    : problem_(cell.problem),
      head_(TakeHead(cell, tensors)),
      roundings_(options.roundings),
      alone_(MakeSideCase(head_, options)) {
  SideOptions same = options;
  same.rows = alone_.answer.rows;
  relations_.push_back(MakeKeyPermutation(head_, same));
  relations_.push_back(MakeKeyShift(head_, same));
  relations_.push_back(MakeKeySplit(head_, same));
  relations_.push_back(MakeQueryScaling(head_));
  relations_.push_back(MakeValueScaling(head_));
  calls_ = 1;
  for (const auto& relation : relations_) calls_ += relation->calls();
  calls_ *= ShareOf(problem_, head_.problem);
}

std::vector<double> Relations::RowsOf(const attest_tensor& out) const {
  std::vector<double> values;
  for (int64_t i = head_.first_row; i < problem_.q_sequence_length; ++i)
    for (int64_t c = 0; c < problem_.v_head_size; ++c)
      values.push_back(
          LoadElement(out.data, out.dtype, OffsetOf(out, head_.batch, head_.head, i, c)));
  return values;
}

std::vector<CheckedRelation> Relations::Check(const Contender& contender, size_t rounding,
                                              const std::vector<double>& within) const {
  std::vector<CheckedRelation> checked;
  const SideOutput alone = CallSide(contender, alone_);
  if (const auto unusable = Unusable(alone)) return {{"independence", *unusable}};
  const Trial trial{
      contender, *contender.ContractFor(problem_.dtype), roundings_.at(rounding), rounding, alone_,
      alone.out};
  checked.push_back({"independence", CheckIndependence(trial, within)});
  for (const auto& relation : relations_)
    checked.push_back({std::string(relation->name()), CheckOne(*relation, trial)});
  return checked;
}

Finding Relations::CheckIndependence(const Trial& trial, const std::vector<double>& within) const {
  std::vector<double> tolerance = trial.alone.answer.bounds.at(trial.rounding).output;
  for (double& bound : tolerance) bound *= 2;
  const std::string deviation = Deviation(trial.alone.answer.rows, trial.out, within, tolerance);
  const std::string where =
      fmt::format("batch {}, head {} by itself and in the whole problem", head_.batch, head_.head);
  if (!deviation.empty()) return {"fail", fmt::format("{}: {}", where, deviation)};
  return {"pass", where + (trial.out == within ? ": the same bits" : "")};
}

}  // namespace attest::judge
