// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/inferred.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "harness/core/convert.h"

#ifdef __FAST_MATH__
#error "the verifier must not be compiled with fast-math: NaN and rounding are its business"
#endif

namespace attest::judge {
namespace {

constexpr double kBudget = 2e8;  // multiply-adds: about a second of one thread, bounds included
constexpr int64_t kMostRows = 64;
constexpr size_t kEnough = 100;   // elements whose mean square says something
constexpr double kLambda = 7;     // of the probabilistic bound, reference/README.md
constexpr double kWidest = 0.25;  // of the range of V that a row sees

struct Arithmetic {
  const char* name;
  int32_t accumulate, operands, scores, probabilities;
};

constexpr int32_t kNone = ATTEST_FORMAT_NONE, kF32 = ATTEST_FORMAT_F32, kTf32 = ATTEST_FORMAT_TF32,
                  kF16 = ATTEST_FORMAT_F16, kBf16 = ATTEST_FORMAT_BF16;
// P is an operand of the second matmul. None accumulates more finely than the one before it.
constexpr Arithmetic kArithmetics[] = {
    {"f32 accumulation", kF32, kNone, kNone, kNone},
    {"tf32", kF32, kTf32, kNone, kTf32},
    {"scores and P in f16", kF32, kNone, kF16, kF16},
    {"f16 operands, scores and P", kF32, kF16, kF16, kF16},
    {"P in bf16", kF32, kNone, kNone, kBf16},
    {"scores and P in bf16", kF32, kNone, kBf16, kBf16},
    {"bf16 operands", kF32, kBf16, kNone, kBf16},
    {"bf16 operands, scores and P", kF32, kBf16, kBf16, kBf16},
    {"f16 accumulation", kF16, kF16, kF16, kF16},
    {"bf16 accumulation", kBf16, kBf16, kBf16, kBf16},
};

reference::Rounding Coarsened(const reference::Rounding& declared, const Arithmetic& arithmetic,
                              int32_t dtype) {
  attest_contract contract{};
  contract.size = sizeof contract;
  contract.accumulate = arithmetic.accumulate;
  contract.operands = arithmetic.operands;
  contract.scores = arithmetic.scores;
  contract.probabilities = arithmetic.probabilities;
  const reference::Rounding other = reference::RoundingOf(contract, dtype);
  reference::Rounding rounding = declared;
  for (double reference::Rounding::*field :
       {&reference::Rounding::u_acc, &reference::Rounding::u_op, &reference::Rounding::u_s,
        &reference::Rounding::u_p, &reference::Rounding::eps_exp, &reference::Rounding::eta_p})
    rounding.*field = std::max(declared.*field, other.*field);
  return rounding;
}

std::vector<Fit> Candidates(const reference::Rounding& declared, int32_t dtype) {
  std::vector<Fit> candidates;
  for (const Arithmetic& arithmetic : kArithmetics) {
    const reference::Rounding rounding = Coarsened(declared, arithmetic, dtype);
    const bool known = rounding == declared ||
                       std::any_of(candidates.begin(), candidates.end(),
                                   [&](const Fit& fit) { return fit.rounding == rounding; });
    if (!known) candidates.push_back({arithmetic.name, rounding, 0});
  }
  return candidates;
}

double Got(const attest_problem& p, const attest_tensor& out, int64_t row, int64_t column) {
  const int64_t i = row % p.q_sequence_length, group = row / p.q_sequence_length;
  return LoadElement(out.data, out.dtype,
                     OffsetOf(out, group / p.q_num_heads, group % p.q_num_heads, i, column));
}

// error / limit; infinite where either is NaN or the limit allows no error.
double Ratio(double error, double limit) {
  if (error == 0) return 0;
  const double ratio = error / limit;
  return ratio >= 0 ? ratio : INFINITY;
}

// Rows beyond the declared bound, the furthest ones, ascending.
std::vector<int64_t> FarthestRows(const CellData& data, int set, size_t rounding,
                                  const attest_tensor& out) {
  const reference::Answer& answer = data.answers[set];
  const std::vector<double>& bound = answer.bounds.at(rounding).output;
  const auto columns = static_cast<size_t>(data.cell.problem.v_head_size);
  std::vector<std::pair<double, int64_t>> beyond;
  for (size_t r = 0; r < answer.rows.size(); ++r) {
    double worst = 0;
    for (size_t c = 0; c < columns; ++c) {
      const size_t at = r * columns + c;
      const double got = Got(data.cell.problem, out, answer.rows[r], static_cast<int64_t>(c));
      worst = std::max(worst, Ratio(std::fabs(got - answer.output[at]), bound[at]));
    }
    if (!(worst <= 1)) beyond.emplace_back(worst, answer.rows[r]);
  }
  std::stable_sort(beyond.begin(), beyond.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  const double affordable = kBudget / static_cast<double>(reference::RowCost(data.cell.problem));
  const auto most =
      static_cast<size_t>(std::clamp(affordable, 1.0, static_cast<double>(kMostRows)));
  // The farthest, and as many of the rest, evenly spread.
  if (beyond.size() > most)
    for (size_t i = most / 2; i < most; ++i)
      beyond[i] =
          beyond[most / 2 + (i - most / 2) * (beyond.size() - most / 2) / (most - most / 2)];
  beyond.resize(std::min(beyond.size(), most));
  std::vector<int64_t> rows;
  for (const auto& [worst, row] : beyond) rows.push_back(row);
  std::sort(rows.begin(), rows.end());
  return rows;
}

bool IsRandom(const Cell& cell) { return cell.data == "normal" || cell.data == "uniform11"; }

// The greatest error over the candidate's limit; infinite where its limits are too wide to say.
double Judge(const Cell& cell, const reference::Answer& answer, const reference::Bound& bound,
             const attest_tensor& out) {
  const auto columns = static_cast<size_t>(cell.problem.v_head_size);
  const std::vector<double>& limits = IsRandom(cell) ? bound.probabilistic : bound.output;
  double worst = 0, squares = 0;
  size_t squared = 0;
  std::vector<double> widths;
  for (size_t r = 0; r < answer.rows.size(); ++r)
    for (size_t c = 0; c < columns; ++c) {
      const size_t at = r * columns + c;
      const double got = Got(cell.problem, out, answer.rows[r], static_cast<int64_t>(c));
      const double ratio = Ratio(std::fabs(got - answer.output[at]), limits[at]);
      worst = std::max(worst, ratio);
      if (limits[at] < bound.output[at]) squares += ratio * ratio, ++squared;
      const double range =
          std::max({answer.hull_max[at] - answer.hull_min[at], std::fabs(answer.hull_max[at]),
                    std::fabs(answer.hull_min[at])});
      widths.push_back(Ratio(limits[at], range));
    }
  const auto middle = widths.begin() + static_cast<std::ptrdiff_t>(widths.size() / 2);
  std::nth_element(widths.begin(), middle, widths.end());
  // Bp stands for lambda standard deviations: the root mean square cannot be more than one of them.
  const bool typical =
      squared < kEnough || kLambda * std::sqrt(squares / static_cast<double>(squared)) <= 1;
  return typical && *middle <= kWidest ? worst : INFINITY;
}

// Its number in the table, by what BehavesAs or MayBehaveAs said of it.
size_t PlaceOf(const std::string& text) {
  for (size_t i = 0; i < std::size(kArithmetics); ++i)
    if (text == BehavesAs(kArithmetics[i].name) || text == MayBehaveAs(kArithmetics[i].name))
      return i;
  return std::size(kArithmetics);
}

}  // namespace

std::vector<Fit> FindFits(const CellData& data, int set, size_t rounding,
                          const attest_tensor& out) {
  const attest_problem& problem = data.cell.problem;
  const reference::Rounding& declared = data.roundings.at(rounding);
  std::vector<Fit> candidates = Candidates(declared, problem.dtype);
  if (problem.kv_sequence_length == 1)  // its weight is 1, exactly, in every format
    std::erase_if(candidates, [&](const Fit& fit) {
      return fit.rounding.u_op == declared.u_op && fit.rounding.u_acc == declared.u_acc;
    });
  reference::Options options;
  options.rows = FarthestRows(data, set, rounding, out);
  for (const Fit& candidate : candidates) options.roundings.push_back(candidate.rounding);
  if (options.rows.empty() || candidates.empty()) return {};
  const std::vector<attest_tensor> tensors = InputTensors(data, set);
  const reference::Answer answer = reference::ComputeSdpa(problem, Pointers(tensors), options);
  std::vector<Fit> fits;
  for (size_t i = 0; i < candidates.size(); ++i) {
    candidates[i].error_over_bound = Judge(data.cell, answer, answer.bounds[i], out);
    if (candidates[i].error_over_bound <= 1) fits.push_back(candidates[i]);
  }
  return fits;
}

std::string BehavesAs(const std::string& name) { return "behaves as " + name; }
std::string MayBehaveAs(const std::string& name) {
  return fmt::format("may behave as {}, which no probe can tell from a wrong structure", name);
}
bool IsCertain(const std::string& text) { return text.starts_with("behaves as "); }

std::string Confirmed(const std::string& text, const std::string& on_smaller) {
  if (text.empty() || text == kUnexplained || on_smaller.empty()) return text;
  if (on_smaller == kUnexplained) return kUnexplained;
  return PlaceOf(on_smaller) >= PlaceOf(text) ? on_smaller : text;
}

}  // namespace attest::judge
