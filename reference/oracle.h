// SPDX-License-Identifier: Apache-2.0
//
// The double-precision oracle and the error bound of every output element. Formulas and their
// sources: reference/README.md. Not fast, not a backend, and shares no code with one.
#ifndef ATTEST_REFERENCE_ORACLE_H_
#define ATTEST_REFERENCE_ORACLE_H_

#if defined(__FAST_MATH__)
#error "Nothing that judges may be compiled with -ffast-math: it would lose NaN and infinity."
#endif

#include <cstdint>
#include <span>
#include <vector>

#include "attest/abi.h"

namespace attest::reference {

// Unit roundoffs of a variant's arithmetic; see verification.md's list of the same names in
// README.md.
struct Rounding {
  double u_acc = 0;    // accumulation
  double u_op = 0;     // matmul operands; 0 = used as they are
  double u_s = 0;      // stored scores
  double u_p = 0;      // P at the second matmul
  double u_out = 0;    // io type
  double eps_exp = 0;  // relative error of exp
  double eta_p = 0;    // half the least subnormal of P's format; more where subnormals are flushed
  double eta_out = 0;  // half the least subnormal of the io type
  // Of self_attention only, else 0:
  double u_store = 0;    // Q, K, V and the heads' output between the linear maps and the attention
  double eta_store = 0;  // half the least subnormal of that format
  double u_inner = 0;    // the same as operands of a matmul
  friend bool operator==(const Rounding&, const Rounding&) = default;
};

// The roundings a declared contract stands for, on tensors of io type `dtype`.
// Throws std::invalid_argument where the contract contradicts itself (unknown format, negative or
// non-finite exp error, probabilities finer than accumulation).
Rounding RoundingOf(const attest_contract& contract, int32_t dtype, int32_t op = ATTEST_OP_SDPA);

// OUT as rows: [B, OutputHeads, q_sequence_length, OutputColumns]. An output map mixes all heads of
// a position, so there it is one row of hidden_size columns; else every head has its own.
int64_t OutputHeads(const attest_problem& problem);
int64_t OutputColumns(const attest_problem& problem);

// Rows are numbered (b * OutputHeads + h) * q_sequence_length + i.
// Rows to check when only about `count` are affordable: tile-edge rows (0, t-1, t, last for t
// in 16..256) of a rotating choice of heads, then rows chosen by a hash of `seed`. Sorted, unique.
// All rows where count >= rows there are.
std::vector<int64_t> SampleRows(const attest_problem& problem, int64_t count, uint64_t seed);
int64_t RowCount(const attest_problem& problem);
// Multiply-adds the oracle spends on one row (all keys): kv_sequence_length * (head_size +
// v_head_size) for sdpa; for self_attention of all heads that the row holds, with its linear maps.
int64_t RowCost(const attest_problem& problem);

struct Bound {
  std::vector<double> output;         // [rows, OutputColumns]: B
  std::vector<double> probabilistic;  // [rows, OutputColumns]: Bp <= B
  std::vector<double> lse;            // [rows, heads]
  std::vector<double> weights;        // [rows, heads, Lk], only where weights were asked for
};

struct Answer {
  std::vector<int64_t> rows;   // row numbers, ascending
  std::vector<double> output;  // [rows, OutputColumns]
  // `heads` of a row are its q_num_heads / OutputHeads: 1, or all behind an output map.
  std::vector<double> lse;      // [rows, heads], -inf for dead rows
  std::vector<double> weights;  // [rows, heads, Lk] where problem.outputs asks for WEIGHTS
  // [rows, v_head_size]: least and greatest visible v of the column; empty behind an output map
  std::vector<double> hull_min;
  std::vector<double> hull_max;
  // [rows, v_head_size], only where asked for: what a relative change of all scores of a row does
  // to the output, sum_j p_ij (s_ij - mean_i) v_jc with the mean under p. Scores before the mask.
  std::vector<double> sensitivity;
  std::vector<Bound> bounds;  // one per rounding asked for, same order
  // self_attention only, [OutputColumns]: greatest minus least that one key alone would give to the
  // column, over all of them (behind an output map: over some); where they are equal, its
  // magnitude.
  std::vector<double> value_ranges;
};

struct Options {
  unsigned threads = 1;             // over rows; the result does not depend on it
  std::vector<int64_t> rows;        // empty = all
  std::vector<Rounding> roundings;  // empty = no bound
  bool sensitivity = false;         // with bounds only
};

// The sdpa answer in f64 for tensors Q, K, V (and MASK, KV_LENGTHS where the problem has them) of
// any io type and stride. Throws std::invalid_argument for a missing tensor or a problem it cannot
// read.
Answer ComputeSdpa(const attest_problem& problem, std::span<const attest_tensor* const> tensors,
                   const Options& options);

// The same for self_attention: X, X_KV where the problem is cross-attention, and the weights and
// biases of its structure (abi.h). Linear maps, attention and output map in f64 (f64 problems: sums
// in long double). Sensitivity is not made.
Answer ComputeSelfAttention(const attest_problem& problem,
                            std::span<const attest_tensor* const> tensors, const Options& options);

// Whichever the problem's operation is.
Answer ComputeAnswer(const attest_problem& problem, std::span<const attest_tensor* const> tensors,
                     const Options& options);

// Visible (query, key) pairs over all batch entries and query heads, counted exactly; the mask's
// own rule. `tensors` may be empty where the problem has neither a boolean mask nor KV_LENGTHS.
int64_t CountVisiblePairs(const attest_problem& problem,
                          std::span<const attest_tensor* const> tensors);
// Keys that some query may see by causal rule, window and lengths (masks aside), summed over the
// batch: those whose K and V must be read.
int64_t CountNeededKeys(const attest_problem& problem,
                        std::span<const attest_tensor* const> tensors);

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_ORACLE_H_
