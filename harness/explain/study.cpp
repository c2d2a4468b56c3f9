// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "harness/core/names.h"
#include "harness/core/suites.h"
#include "harness/core/words.h"
#include "harness/explain/tensors.h"
#include "harness/explain/weight_figures.h"
#include "harness/judge/given_call.h"
#include "harness/report/format.h"

namespace attest::explain {
namespace {

using Figures = std::vector<std::pair<std::string, double>>;

// The outputs of a cell as matrices.
struct Outputs {
  std::vector<Matrix> weights, scores;  // of each head
  std::vector<double> out;
};

bool IsHeadScale(const attest_problem& p) {
  return p.scale == 1 / std::sqrt(static_cast<double>(p.head_size));
}

void DescribeScale(const Cell& cell, StudyRow& row) {
  row.category = fmt::format("{}", cell.problem.head_size);
  row.series = IsHeadScale(cell.problem) ? "q.k / sqrt(d)" : "q.k";
}

void DescribeTied(const Cell& cell, StudyRow& row) {
  row.category = StructureName(cell.problem.structure);
}

void DescribePool(const Cell& cell, StudyRow& row) {
  const bool pool = cell.problem.structure == ATTEST_STRUCTURE_MEAN_POOL;
  row.category = pool ? "mean_pool" : fmt::format("{:.3g}", cell.problem.scale);
}

Figures ScaleFigures(const Outputs& found, const Outputs&) {
  const WeightFigures f = FiguresOf(found.weights);
  return {{"entropy_bits", f.entropy_bits},
          {"largest_weight", f.largest},
          {"gradient_norm", f.gradient_norm}};
}

Figures TiedFigures(const Outputs& found, const Outputs&) {
  const WeightFigures f = FiguresOf(found.weights);
  const Matrix& head = found.weights[0];
  return {{"asymmetry", Asymmetry(found.scores)},
          {"weight_on_itself", f.diagonal},
          {"from_1_to_2", head.at(0, 1)},
          {"from_2_to_1", head.at(1, 0)}};
}

// Mean of V: what the first cell, mean_pool on the same V, gave on average over its rows.
Figures PoolFigures(const Outputs& found, const Outputs& first) {
  const auto rows = static_cast<size_t>(first.weights[0].rows);
  const size_t columns = first.out.size() / rows;
  std::vector<double> mean(columns);
  for (size_t n = 0; n < first.out.size(); ++n)
    mean[n % columns] += first.out[n] / static_cast<double>(rows);
  double distance = 0, size = 0;
  for (size_t n = 0; n < found.out.size(); ++n) {
    const double difference = found.out[n] - mean[n % columns];
    distance += difference * difference;
    size += mean[n % columns] * mean[n % columns];
  }
  const WeightFigures f = FiguresOf(found.weights);
  return {{"distance_from_mean", std::sqrt(distance / size)},
          {"entropy_bits", f.entropy_bits},
          {"largest_weight", f.largest}};
}

double Of(const StudyRow& row, std::string_view name) {
  for (const auto& [key, value] : row.figures)
    if (key == name) return value;
  throw std::logic_error(fmt::format("no figure '{}'", name));
}

// The first or last row of a series.
const StudyRow& End(const Study& study, std::string_view series, bool last) {
  const StudyRow* found = nullptr;
  for (const StudyRow& row : study.rows)
    if (row.series == series && (found == nullptr || last)) found = &row;
  return *found;
}

std::string ScaleSentence(const Study& study) {
  const auto ends = [&](const char* series, const char* figure) {
    return std::pair(Of(End(study, series, false), figure), Of(End(study, series, true), figure));
  };
  const auto raw = ends("q.k", "entropy_bits"), scaled = ends("q.k / sqrt(d)", "entropy_bits");
  const auto raw_gradient = ends("q.k", "gradient_norm"),
             scaled_gradient = ends("q.k / sqrt(d)", "gradient_norm");
  return fmt::format(
      "From d = {} to {}, the entropy of a row's weights goes from {:.2f} to {:.2f} bits and the "
      "softmax's gradient from {:.3f} to {:.3f} without the division by sqrt(d), and from {:.2f} "
      "to {:.2f} bits and {:.3f} to {:.3f} with it: the division keeps the softmax from saturating "
      "as heads grow.",
      study.rows.front().category, study.rows.back().category, raw.first, raw.second,
      raw_gradient.first, raw_gradient.second, scaled.first, scaled.second, scaled_gradient.first,
      scaled_gradient.second);
}

std::string TiedSentence(const Study& study) {
  const StudyRow &full = study.rows[0], &tied = study.rows[1], &free = study.rows[2];
  return fmt::format(
      "With maps of their own for Q and K, scores of i for j and of j for i differ by {:.0f} % of "
      "their size and a token gives itself {:.1f} % of its attention; with one map they differ by "
      "{:.1e} and it gives itself {:.0f} %, without maps {:.0f} %: what is tied comes close to a "
      "map of each token by itself.",
      100 * Of(full, "asymmetry"), 100 * Of(full, "weight_on_itself"), Of(tied, "asymmetry"),
      100 * Of(tied, "weight_on_itself"), 100 * Of(free, "weight_on_itself"));
}

std::string PoolSentence(const Study& study) {
  const StudyRow &pool = study.rows.front(), &low = study.rows[1], &high = study.rows.back();
  return fmt::format(
      "Equal weights give every token the mean of V (distance {} of its size), whatever it "
      "asks "
      "for; weights by relevance leave it as they sharpen, from {:.2f} times its size at scale {} "
      "to {:.1f} at {}.",
      report::FormatNumber(Of(pool, "distance_from_mean")), Of(low, "distance_from_mean"),
      low.category, Of(high, "distance_from_mean"), high.category);
}

struct Recipe {
  std::string name;
  void (*describe)(const Cell&, StudyRow&);
  Figures (*figures)(const Outputs& found, const Outputs& first);
  std::string (*sentence)(const Study&);
};

const std::vector<Recipe>& Recipes() {
  static const std::vector<Recipe> recipes = {
      {"pool", DescribePool, PoolFigures, PoolSentence},
      {"scale", DescribeScale, ScaleFigures, ScaleSentence},
      {"tied", DescribeTied, TiedFigures, TiedSentence},
  };
  return recipes;
}

const Recipe& Find(std::string_view name) {
  for (const Recipe& recipe : Recipes())
    if (recipe.name == name) return recipe;
  throw std::invalid_argument("--study: " + UnknownWord("study", name, StudyNames()));
}

Outputs OutputsOf(const Cell& cell, judge::GivenOutcome& outcome) {
  const attest_problem& p = cell.problem;
  Outputs found;
  found.out = std::move(outcome.outputs[ATTEST_ROLE_OUT]);
  const std::vector<double>& weights = outcome.outputs[ATTEST_ROLE_WEIGHTS];
  if (!weights.empty()) found.weights = PerHead(weights, p.q_num_heads, p.q_sequence_length);
  const std::vector<double>& lse = outcome.outputs[ATTEST_ROLE_LSE];
  if (!lse.empty()) found.scores = ScoresFrom(found.weights, lse);
  return found;
}

}  // namespace

std::vector<std::string> StudyNames() {
  std::vector<std::string> names;
  for (const Recipe& recipe : Recipes()) names.push_back(recipe.name);
  return names;
}

Study RunStudy(std::string_view name, judge::Contender& contender, uint64_t seed,
               unsigned threads) {
  const Recipe& recipe = Find(name);
  Study study{recipe.name, contender.label, "", {}};
  Outputs first;
  bool complete = true;
  for (const Cell& cell : ExpandSweep(FindSuite("study-" + recipe.name).blocks, {}, seed)) {
    StudyRow& row = study.rows.emplace_back();
    row.cell = CellId(cell);
    recipe.describe(cell, row);
    judge::GivenOutcome outcome = judge::CallCell(contender, cell, threads);
    row.verdict = outcome.result.verdict, row.reason = outcome.result.reason;
    const Outputs found = OutputsOf(cell, outcome);
    if (first.out.empty()) first = found;
    complete = complete && !found.weights.empty();
    if (complete) row.figures = recipe.figures(found, first);
  }
  if (complete) study.sentence = recipe.sentence(study);
  return study;
}

}  // namespace attest::explain
