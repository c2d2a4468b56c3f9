// SPDX-License-Identifier: Apache-2.0
//
// Attention as a few lines of PyTorch compute it in the io type: the yardstick of FlashAttention's
// acceptance test (its attention_ref with upcast=False, reorder_ops=True). K times scale, the
// scores, the weights and the output are each rounded to the io type; sums and softmax are in f32,
// one term after another (f64 for f64). No reference: nothing here is judged by it.
#ifndef ATTEST_HARNESS_JUDGE_PLAIN_H_
#define ATTEST_HARNESS_JUDGE_PLAIN_H_

#include <cstdint>
#include <span>
#include <vector>

#include "attest/abi.h"

namespace attest::judge {

struct PlainRun {
  std::vector<double> output;    // [rows, v_head_size]
  std::vector<double> absolute;  // [rows, v_head_size]: sum p |v|, with p as softmax had it
};

// Of those rows, numbered as reference::SampleRows does. Rows that see no key are 0. Throws
// std::invalid_argument for a missing tensor.
PlainRun ComputePlain(const attest_problem& problem, std::span<const attest_tensor* const> tensors,
                      const std::vector<int64_t>& rows, unsigned threads);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_PLAIN_H_
