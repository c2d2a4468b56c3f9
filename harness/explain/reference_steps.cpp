// SPDX-License-Identifier: Apache-2.0
//
// The steps in double precision, from the oracle of the layer; only q.k is computed here.
#include <numeric>

#include "harness/core/tensors.h"
#include "harness/explain/steps.h"
#include "harness/explain/tensors.h"
#include "reference/projection.h"

namespace attest::explain {
namespace {

Matrix MatrixOf(const reference::Heads& heads) {
  return {heads.length, heads.heads * heads.size, heads.value};
}

std::vector<Matrix> Scores(const Matrix& q, const Matrix& k, int64_t heads, double scale) {
  std::vector<Matrix> scores;
  const int64_t size = q.columns / heads;
  for (int64_t h = 0; h < heads; ++h) {
    Matrix& s = scores.emplace_back(q.rows, k.rows);
    for (int64_t i = 0; i < q.rows; ++i)
      for (int64_t j = 0; j < k.rows; ++j) {
        double sum = 0;
        for (int64_t c = h * size; c < (h + 1) * size; ++c) sum += q.at(i, c) * k.at(j, c);
        s.at(i, j) = scale * sum;
      }
  }
  return scores;
}

}  // namespace

std::vector<Step> ReferenceSteps(const LayerCase& layer, unsigned threads) {
  const attest_problem& p = layer.problem;
  Given given = MakeGiven(p, LayerValues(layer));
  for (size_t n = 0; n < given.tensors.size(); ++n) given.tensors[n].data = given.values[n].data();
  const auto tensors = Pointers(given.tensors);
  std::vector<int64_t> positions(static_cast<size_t>(p.q_sequence_length));
  std::iota(positions.begin(), positions.end(), 0);
  const reference::Projections maps(p, tensors, positions, threads);
  reference::Options options;
  options.threads = threads;
  const reference::Answer answer = reference::ComputeSelfAttention(p, tensors, options);
  const int64_t heads = p.q_num_heads, length = p.q_sequence_length;
  const bool scored = p.structure != ATTEST_STRUCTURE_MEAN_POOL;
  std::vector<Step> steps;
  const auto add = [&](const char* key, std::vector<Matrix> values) {
    Step& step = steps.emplace_back();
    step.key = key;
    step.reference = std::move(values);
  };
  const auto one = [](Matrix matrix) { return std::vector<Matrix>{std::move(matrix)}; };
  const auto scores = [&](double scale) {
    return scored ? Scores(MatrixOf(maps.q), MatrixOf(maps.k), heads, scale)
                  : std::vector<Matrix>();
  };
  add("q", scored ? one(MatrixOf(maps.q)) : std::vector<Matrix>());
  add("k", scored ? one(MatrixOf(maps.k)) : std::vector<Matrix>());
  add("v", one(MatrixOf(maps.v)));
  add("scores", scores(1));
  add("scaled_scores", scores(p.scale));
  add("weights", PerHead(answer.weights, heads, length));
  add("output", one(JoinHeads(answer.output, heads, length)));
  return steps;
}

}  // namespace attest::explain
