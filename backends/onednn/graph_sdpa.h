// SPDX-License-Identifier: Apache-2.0
//
// The graph of one sdpa problem, as the fusion patterns of oneDNN's Graph API want it:
//   MatMul(Q, K^T) -> Multiply(scale) [-> Tanh -> Multiply(softcap)] [-> Add(position rules)]
//   [-> Add(MASK) or Select(MASK, scores, -inf)] -> SoftMax -> MatMul(P, V)
// with f32 between the products, P in the io type, and the tensors where and as they lie. With
// grouped heads all have five dimensions, [B, kv_heads, group, L, d].
// https://uxlfoundation.github.io/oneDNN/dev_guide_graph_sdpa.html and dev_guide_graph_gqa.html
//
// Causal masks of any offset, and windows, are a tensor of 0 and -inf that all heads share. The
// library can generate a causal mask itself (GenIndex, GreaterEqual, Select), but on CPUs up to
// 3.13 only by a reference kernel and outside the fused kernel, at a tenth of the speed.
#ifndef ATTEST_BACKENDS_ONEDNN_GRAPH_SDPA_H_
#define ATTEST_BACKENDS_ONEDNN_GRAPH_SDPA_H_

#include <cstddef>

#include "attest/backend.hpp"
#include "graph_library.h"

namespace attest::onednn::graph {

// Numbers of the tensors that do not come from within the graph.
enum TensorId : size_t {
  kQ,
  kK,
  kV,
  kMask,
  kOut,
  kScale,          // f32, one element: scale, or scale / softcap
  kSoftcap,        // f32, one element
  kMinusInfinity,  // f32, one element
  kPositions,      // io type, [1, 1, Lq, Lk]: 0 where the position rules let a query see a key
  kFirstBetween    // and above: between two ops
};

// Causal, windows.
bool HasPositionRules(const attest_problem& problem);

// A row may see no key, as far as the problem tells.
bool MayHaveEmptyRows(const attest_problem& problem);

// The graph, finalized. Throws std::runtime_error in the library's words where it refuses an op.
Handle MakeSdpaGraph(const Library& library, const Request& request);

}  // namespace attest::onednn::graph

#endif  // ATTEST_BACKENDS_ONEDNN_GRAPH_SDPA_H_
