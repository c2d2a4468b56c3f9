// SPDX-License-Identifier: Apache-2.0
//
// A layer step by step on a real backend. The interface has no call for a step, so each is a small
// problem of its own whose answer is the step, by the rule that a key which is alone has weight 1:
//   Q, K, V  mean_pool, cross-attention, one token of X a batch entry: OUT = x W^T
//   scores   sdpa, one key a batch entry: LSE = scale q.k, with scale 1 for the raw ones
//   weights  WEIGHTS of the layer; where a variant has none, OUT of sdpa with V the identity
//   output   the layer itself
// Every problem is judged like any other; Q and K of the scores are those that the backend gave.
#ifndef ATTEST_HARNESS_EXPLAIN_STEPS_H_
#define ATTEST_HARNESS_EXPLAIN_STEPS_H_

#include <string>
#include <string_view>
#include <vector>

#include "harness/explain/layer_case.h"
#include "harness/judge/contender.h"

namespace attest::explain {

struct Step {
  std::string key;            // "q", "k", "v", "scores", "scaled_scores", "weights", "output"
  std::vector<Matrix> value;  // one; scores and weights: [Lq, Lk] of each head; empty: none came
  std::vector<Matrix> reference;  // the same in double precision, from X on; empty: no such step
  report::Verdict verdict = report::Verdict::kUnsupported;  // the worst of the step's calls
  std::string reason;                                       // of a verdict other than pass
  double error_over_bound = 0;                              // worst of the step's calls
};

struct Explanation {
  LayerCase layer;
  std::string backend;      // label
  std::vector<Step> steps;  // in the order above
  const Step& step(std::string_view key) const;
};

// All steps of the case on that variant; what it does not do has the reason in its step. Throws as
// judge::CallGiven does.
Explanation Explain(const LayerCase& layer, judge::Contender& contender, unsigned threads);

// The steps of the case in double precision, values only; keys and shapes as above.
std::vector<Step> ReferenceSteps(const LayerCase& layer, unsigned threads);

}  // namespace attest::explain

#endif  // ATTEST_HARNESS_EXPLAIN_STEPS_H_
