// SPDX-License-Identifier: Apache-2.0
//
// What other projects' acceptance tests would have said of the same outputs. Only the rules are
// theirs, as their sources had them in 2025; data, shapes and reference are ours, so that a column
// of verdicts says what a rule can see, and nothing of the project. They decide nothing here.
//
// Each compares with a reference that is stored in the io type, as those projects do; NaN does to
// each rule what it does to the original.
//
//   nmse_5e-4           ggml, tests/test-backend-ops.cpp, test_flash_attn_ext: sum (got - ref)^2 at
//                       most 5e-4 of sum got^2, and no NaN
//   flashinfer_1e-2     flashinfer-bench, bench/config.py and bench/utils.py: all finite, and every
//                       element within 1e-2 of its reference, absolutely or relatively
//   allclose_1e-3       flashinfer, tests/attention: assert_close with rtol = atol = 1e-3
//   torch_default       torch.testing.assert_close: rtol 1.3e-6 (f32), 1e-3 (f16), 1.6e-2 (bf16),
//                       1e-7 (f64), atol 1e-5 (f64: 1e-7)
//   cutlass             CUTLASS, examples/77_blackwell_fmha and 88_hopper_fmha: greatest absolute
//                       difference below 1e-2, mean below 1e-3 (types of two bytes and more)
//   benchdnn            oneDNN, tests/benchdnn, driver sdpa, setup_cmp and compare_p2p: relative
//                       difference (absolute, where the reference is below 1e-5) at most
//                       8 (1 + keys) eps, or difference at most eps sum p |v|; eps is twice u
//   cudnn_2e-2          cudnn-frontend, test/python test_mhas.py: assert_close, rtol = atol = 2e-2
//   flash_attention_2x  FlashAttention, tests/test_flash_attn.py: greatest difference at most twice
//                       that of plain PyTorch in the io type (plain.h); theirs has f16 and bf16
//                       only
#ifndef ATTEST_HARNESS_JUDGE_RULES_H_
#define ATTEST_HARNESS_JUDGE_RULES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "harness/judge/cell_data.h"

namespace attest::judge {

// Elements that have a reference, all lists of one length.
struct RuleData {
  int32_t dtype = ATTEST_F32;
  int64_t keys = 0;              // kv_sequence_length
  std::vector<double> got;       // as stored
  std::vector<double> expected;  // rounded to dtype
  std::vector<double> plain;     // what plain.h computes
  std::vector<double> absolute;  // sum p |v|
};

// Name and whether the rule accepts; in the order of the list above.
using RuleVerdicts = std::vector<std::pair<std::string, bool>>;
RuleVerdicts ApplyRules(const RuleData& data);

// Of OUT of a call on that input set, whose plain run the cell must have.
RuleVerdicts ApplyRules(const CellData& data, int set, const attest_tensor& out);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_RULES_H_
