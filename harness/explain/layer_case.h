// SPDX-License-Identifier: Apache-2.0
//
// One small self-attention layer with its values: what `attest explain` shows step by step.
#ifndef ATTEST_HARNESS_EXPLAIN_LAYER_CASE_H_
#define ATTEST_HARNESS_EXPLAIN_LAYER_CASE_H_

#include <string>
#include <string_view>
#include <vector>

#include "attest/abi.h"
#include "harness/explain/matrix.h"

namespace attest::explain {

struct LayerCase {
  Matrix x;              // [Lq, hidden]
  Matrix x_kv;           // [Lk, hidden] of cross-attention; empty: K and V come from x
  Matrix w_q, w_k, w_v;  // as nn.Linear stores them, [out, in]; empty where the structure has none
  std::vector<std::string> tokens, key_tokens;  // labels of the rows of x and of K
  std::string sentence;                         // what the case shows; may be empty
  attest_problem problem{};                     // resolved; f32, asks for WEIGHTS

  const Matrix& keys() const { return x_kv.empty() ? x : x_kv; }
};

// What the user asks for; empty and 0 mean "not given".
struct CaseOptions {
  std::string example;  // one of ExampleNames()
  std::string input;    // file with x, and more (values_file.h)
  std::string random;   // "6x768": normal X of that shape
  std::string context;  // file with x_kv
  std::vector<std::string> tokens, context_tokens;
  int64_t heads = 0, hidden = 0;
  std::string structure = "full", scale = "head";
  bool causal = false;
  uint64_t seed = 1;
};

// "dictionary", "market", "three-tokens"
std::vector<std::string> ExampleNames();
std::string_view ExampleDescription(std::string_view name);

// Checked and complete. Weights that nobody gives: those of the worked example where hidden is 3,
// else uniform in +-1/sqrt(hidden), seeded. Throws std::invalid_argument with the shape found and
// the shape needed.
LayerCase MakeCase(const CaseOptions& options);

// The values of an example before anything is checked: layer_examples.cpp. Throws
// std::invalid_argument with the nearest known name.
LayerCase ExampleCase(std::string_view name);

}  // namespace attest::explain

#endif  // ATTEST_HARNESS_EXPLAIN_LAYER_CASE_H_
