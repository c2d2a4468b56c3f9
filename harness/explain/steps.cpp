// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "harness/core/problem.h"
#include "harness/explain/tensors.h"
#include "harness/judge/given_call.h"

namespace attest::explain {
namespace {

using report::Verdict;

// Elements of Q in one call for scores: 32 MiB.
constexpr int64_t kMostElements = int64_t{1} << 23;

class Steps {
 public:
  Steps(const LayerCase& layer, judge::Contender& contender, unsigned threads)
      : layer_(layer), p_(layer.problem), contender_(contender), threads_(threads) {}

  std::vector<Step> Run() {
    std::vector<Step> steps = ReferenceSteps(layer_, threads_);
    for (Step& step : steps)
      if (!step.reference.empty()) Fill(step);
    return steps;
  }

 private:
  void Fill(Step& step) {
    step.verdict = Verdict::kPass;
    if (step.key == "q") step.value = Projected(step, layer_.w_q, layer_.x, q_);
    if (step.key == "k") step.value = Projected(step, layer_.w_k, layer_.keys(), k_);
    if (step.key == "v") step.value = Projected(step, layer_.w_v, layer_.keys(), v_);
    if (step.key == "scores") step.value = Scores(step, 1);
    if (step.key == "scaled_scores") step.value = Scores(step, p_.scale);
    if (step.key == "weights") step.value = Weights(step);
    if (step.key == "output") step.value = Output(step);
  }

  // One call, its verdict added to the step's. The role's values, or none.
  std::vector<double> Call(Step& step, const attest_problem& problem, const ValuesByRole& values,
                           int32_t role) {
    Cell cell;
    cell.problem = problem;
    cell.data = "given";
    judge::GivenOutcome outcome =
        judge::CallGiven(contender_, cell, MakeGiven(problem, values), threads_);
    Note(step, outcome.result);
    return std::move(outcome.outputs[role]);
  }

  // Of two verdicts the one that is not pass stays.
  static void Note(Step& step, const report::Result& result) {
    if (result.verification)
      step.error_over_bound =
          std::fmax(step.error_over_bound, result.verification->error_over_bound);
    if (step.verdict != Verdict::kPass || result.verdict == Verdict::kPass) return;
    step.verdict = result.verdict;
    step.reason = result.reason;
  }

  // tokens W^T; `kept` is what later steps read. Without a weight it is the tokens themselves.
  std::vector<Matrix> Projected(Step& step, const Matrix& weight, const Matrix& tokens,
                                Matrix& kept) {
    if (weight.empty()) return {kept = tokens};
    attest_problem p = p_;
    p.structure = ATTEST_STRUCTURE_MEAN_POOL;
    p.is_cross = 1, p.is_causal = 0, p.outputs = 0;
    p.batch_size = tokens.rows, p.q_sequence_length = p.kv_sequence_length = 1;
    p.head_size = p.v_head_size = weight.rows / p.q_num_heads;
    ValuesByRole values;
    values[ATTEST_ROLE_X] = std::vector<double>(tokens.values.size());
    values[ATTEST_ROLE_X_KV] = tokens.values;
    values[ATTEST_ROLE_WV] = weight.values;
    const std::vector<double> out = Call(step, p, values, ATTEST_ROLE_OUT);
    if (out.empty()) return {};
    return {kept = Matrix(tokens.rows, weight.rows, out)};
  }

  attest_problem Attention() const {
    attest_problem p = DefaultProblem();
    p.q_num_heads = p_.q_num_heads, p.kv_num_heads = p_.kv_num_heads;
    p.q_sequence_length = p_.q_sequence_length, p.kv_sequence_length = p_.kv_sequence_length;
    p.head_size = p_.head_size, p.v_head_size = p_.v_head_size;
    p.scale = p_.scale;
    return p;
  }

  std::vector<Matrix> Scores(Step& step, double scale) {
    if (q_.empty() || k_.empty()) return NotWithout(step, "Q and K");
    const int64_t keys = k_.rows, length = q_.rows;
    const int64_t together =
        std::clamp(kMostElements / std::max<int64_t>(1, q_.rows * q_.columns), int64_t{1}, keys);
    std::vector<Matrix> scores(static_cast<size_t>(p_.q_num_heads), Matrix(length, keys));
    for (int64_t first = 0; first < keys; first += together) {
      const int64_t count = std::min(together, keys - first);
      const std::vector<double> lse = ScoresOfKeys(step, scale, first, count);
      if (lse.empty()) return {};
      for (int64_t n = 0; n < std::ssize(lse); ++n)  // [key, head, query]
        scores[static_cast<size_t>(n / length % p_.q_num_heads)].at(
            n % length, first + n / length / p_.q_num_heads) = lse[static_cast<size_t>(n)];
    }
    return scores;
  }

  // A batch entry for each key: Q whole, K that key alone.
  std::vector<double> ScoresOfKeys(Step& step, double scale, int64_t first, int64_t count) {
    attest_problem p = Attention();
    p.scale = scale;
    p.batch_size = count, p.kv_sequence_length = 1;
    p.v_head_size = p.head_size;
    p.outputs = ATTEST_OUTPUT_LSE;
    ValuesByRole values;
    const std::vector<double> q = SplitHeads(q_, p.q_num_heads);
    std::vector<double>& all = values[ATTEST_ROLE_Q];
    for (int64_t n = 0; n < count; ++n) all.insert(all.end(), q.begin(), q.end());
    const auto begin = k_.values.begin() + first * k_.columns;
    values[ATTEST_ROLE_K].assign(begin, begin + count * k_.columns);  // [key, head, 1, d]
    values[ATTEST_ROLE_V] = values[ATTEST_ROLE_K];
    return Call(step, p, values, ATTEST_ROLE_LSE);
  }

  std::vector<Matrix> Weights(Step& step) {
    std::vector<double> weights = Call(step, p_, LayerValues(layer_), ATTEST_ROLE_WEIGHTS);
    if (step.verdict == Verdict::kUnsupported) weights = WeightsByIdentity(step);
    if (weights.empty()) return {};
    return PerHead(weights, p_.q_num_heads, p_.q_sequence_length);
  }

  // A variant that does not give its weights: the output on V = I is they.
  std::vector<double> WeightsByIdentity(Step& step) {
    if (q_.empty() || k_.empty()) return {};
    Step again;
    again.verdict = Verdict::kPass;
    attest_problem p = Attention();
    p.is_causal = p_.is_causal;
    const int64_t keys = p.v_head_size = p.kv_sequence_length;
    ValuesByRole values;
    values[ATTEST_ROLE_Q] = SplitHeads(q_, p.q_num_heads);
    values[ATTEST_ROLE_K] = SplitHeads(k_, p.kv_num_heads);
    std::vector<double>& identity = values[ATTEST_ROLE_V];
    for (int64_t n = 0; n < p.kv_num_heads * keys * keys; ++n)
      identity.push_back(n / keys % keys == n % keys ? 1 : 0);
    std::vector<double> weights = Call(again, p, values, ATTEST_ROLE_OUT);
    if (again.verdict == Verdict::kUnsupported) return {};
    step.verdict = again.verdict, step.reason = again.reason;
    step.error_over_bound = again.error_over_bound;
    return weights;
  }

  std::vector<Matrix> Output(Step& step) {
    attest_problem p = p_;
    p.outputs = 0;
    const std::vector<double> out = Call(step, p, LayerValues(layer_), ATTEST_ROLE_OUT);
    if (out.empty()) return {};
    return {Matrix(p.q_sequence_length, p.q_num_heads * p.v_head_size, out)};
  }

  static std::vector<Matrix> NotWithout(Step& step, const char* what) {
    step.verdict = Verdict::kUnsupported;
    step.reason = fmt::format("not without {}", what);
    return {};
  }

  const LayerCase& layer_;
  const attest_problem& p_;
  judge::Contender& contender_;
  unsigned threads_;
  Matrix q_, k_, v_;
};

}  // namespace

const Step& Explanation::step(std::string_view key) const {
  for (const Step& step : steps)
    if (step.key == key) return step;
  throw std::logic_error(fmt::format("no step '{}'", key));
}

Explanation Explain(const LayerCase& layer, judge::Contender& contender, unsigned threads) {
  return {layer, contender.label, Steps(layer, contender, threads).Run()};
}

}  // namespace attest::explain
