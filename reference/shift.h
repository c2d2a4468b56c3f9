// SPDX-License-Identifier: Apache-2.0
//
// Q, K and V that are themselves results: how far those that a backend computes may be from the
// exact ones. README.md, "The layer".
#ifndef ATTEST_REFERENCE_SHIFT_H_
#define ATTEST_REFERENCE_SHIFT_H_

#include "attest/abi.h"

namespace attest::reference {

// f64 tensors of rank 4, any strides. dq, dk and dv are bounds; sq, sk and sv standard deviations
// of what independent roundings make of them.
struct Shift {
  attest_tensor q;         // [B, q_num_heads, Lq, 2 head_size]: dq, |q| + dq
  attest_tensor k;         // [B, kv_num_heads, Lk, 2 head_size]: |k|, dk
  attest_tensor v;         // [B, kv_num_heads, Lk, v_head_size]: dv
  attest_tensor likely_q;  // [B, q_num_heads, Lq, 2 head_size]: sq, |q|
  attest_tensor likely_k;  // [B, kv_num_heads, Lk, 2 head_size]: |k|, sk
  attest_tensor likely_v;  // [B, kv_num_heads, Lk, v_head_size]: sv
};

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_SHIFT_H_
