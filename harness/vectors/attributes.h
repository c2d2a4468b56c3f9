// SPDX-License-Identifier: Apache-2.0
//
// The attributes of ONNX Attention, checked: one we do not know may change the result, so it is
// refused.
#ifndef ATTEST_HARNESS_VECTORS_ATTRIBUTES_H_
#define ATTEST_HARNESS_VECTORS_ATTRIBUTES_H_

#include <cstdint>
#include <optional>

#include "harness/vectors/attention_case.h"
#include "harness/vectors/onnx_reader.h"

namespace attest::vectors {

struct Attributes {
  bool is_causal = false;
  std::optional<int64_t> q_num_heads, kv_num_heads;
  std::optional<double> scale;
  double softcap = 0;
  int64_t left_window_size = -1, right_window_size = -1;
  ScoreStage stage = ScoreStage::kProduct;
  int32_t softmax_dtype = 0;
};

// Throws std::invalid_argument naming the attribute, or the operator or opset that is another.
Attributes ReadAttributes(const Node& node);

}  // namespace attest::vectors

#endif  // ATTEST_HARNESS_VECTORS_ATTRIBUTES_H_
