// SPDX-License-Identifier: Apache-2.0
//
// The oracle on a few rows of one batch entry and kv head at a time. Single-threaded; every thread
// has its own BlockSolver. A row's result does not depend on the rows solved with it.
#ifndef ATTEST_REFERENCE_BLOCK_H_
#define ATTEST_REFERENCE_BLOCK_H_

#include <cstdint>
#include <span>
#include <vector>

#include "attest/abi.h"
#include "reference/bound.h"
#include "reference/kernels.h"
#include "reference/mask.h"
#include "reference/oracle.h"
#include "reference/pack.h"
#include "reference/shift.h"

namespace attest::reference {

// A row to solve: query i of head h, stored as the answer's row number `slot`.
struct Row {
  int64_t slot = 0;
  int64_t h = 0;
  int64_t i = 0;
};

// What all blocks of one computation share; outlives the solvers.
struct Job {
  const attest_problem& problem;
  const Mask& mask;
  const attest_tensor& q;
  const std::vector<Rounding>& roundings;
  Answer& answer;                // sized; every row is written by one solver
  const Shift* shift = nullptr;  // null: Q, K and V are exact
  const Kernels& kernels = SelectKernels();
};

// K and V of one batch entry and kv head, and those of the shift, or null.
struct Packs {
  const Pack& exact;
  const Pack* certain;
  const Pack* likely;
};

// A matrix of scratch rows that start 64 bytes apart or more.
class Scratch {
 public:
  void Resize(int64_t rows, int64_t width) {
    width_ = width;
    data_.resize(rows * width);
  }
  bool IsEmpty() const { return data_.empty(); }
  void Fill(double value) { data_.assign(data_.size(), value); }
  double* Row(int64_t row, int64_t offset = 0) { return &data_[row * width_ + offset]; }
  // Rows 4 quad .. 4 quad + 3 from `offset` on.
  reference::Quad Quad(int64_t quad, int64_t offset = 0) {
    double* first = Row(quad * kQuad, offset);
    return {{first, first + width_, first + 2 * width_, first + 3 * width_}};
  }

 private:
  int64_t width_ = 0;
  std::vector<double> data_;
};

class BlockSolver {
 public:
  // Rows that a block of a problem with that many keys should have: bounded scratch, shared K.
  static int64_t RowsPerBlock(int64_t keys);

  // Allocates all scratch (but that of RefineRow).
  explicit BlockSolver(const Job& job);

  // Solves up to RowsPerBlock rows of batch entry b, whose heads share the packed kv head.
  void Solve(const Packs& packs, int64_t b, std::span<const Row> rows);

 private:
  struct RowState {
    KeyRange range;
    RowFacts facts;
  };

  void LoadRows(int64_t b, std::span<const Row> rows);
  void ComputeScores();
  void FinishRow(int64_t r);
  void MaskRow(int64_t r, const KeyRange& span);
  void CountChains(int64_t quad);
  void ComputeOutputs();
  void RefineRows();
  void ComputeHull(const Pack& pack, int64_t r, Scratch& least, Scratch& greatest,
                   Scratch& absolute);
  void ComputeSensitivity();
  void ComputeOperandTerm();
  // block_shift.cpp: what the shift does to scores and to sums over V.
  void ResizeShift(int64_t rows, int64_t keys, int64_t columns);
  void ComputeShift();
  void LoadShiftRows(const attest_tensor& q, std::vector<double>& packed) const;
  void ShiftScores();
  void ShiftValues();
  void ShiftTerm();
  void AddShift(int64_t r, int64_t c, ColumnFacts& facts);
  void ComputeBound(const Rounding& rounding, Bound& bound);
  void StoreRow(int64_t r);
  void StoreBound(int64_t r, const RowBound& row_bound, Bound& bound);
  ErrorRow ErrorRowOf(int64_t r, int64_t first);

  // Calls visit(values, quad, offset, rows) for every block of V that the quads see; `rows` maps a
  // scratch matrix to the rows to use. Blocks with NaN or infinity in V come once per row, with
  // the keys that this row does not see set to zero.
  template <typename Visit>
  void VisitValues(Visit visit);

  bool IsDead(int64_t r) const { return states_[r].facts.visible == 0; }
  bool HasRaw() const { return !raw_.IsEmpty(); }
  double* Raw(int64_t r, int64_t offset) {
    return HasRaw() ? raw_.Row(r, offset) : score_.Row(r, offset);
  }

  const Job& job_;
  const attest_problem& problem_;
  const Kernels& kernels_;
  const Pack* pack_ = nullptr;
  const Pack *certain_ = nullptr, *likely_ = nullptr;  // of the shift
  int64_t b_ = 0;
  std::span<const Row> rows_;
  int64_t quads_ = 0;
  bool wants_operand_ = false;  // some rounding has u_op or u_p

  std::vector<double> q_;            // [quad][head_size][kQuad]
  std::vector<RowState> states_;     // of every row, padding rows dead
  std::vector<KeyRange> quad_span_;  // keys that a quad works on, multiples of kKeyBlock
  std::vector<double> stack_, one_block_;
  // Over keys: s, s0 (where it differs from s), A, sum q^2 k^2, p, and the weights of the bound.
  Scratch score_, raw_, product_, squares_, p_, weighted_, spread_, relative_;
  // Over columns: o, T, sum p^2 v^2, the sums of the bound, and the hull.
  Scratch output_, total_, p_squares_, deviation_, spread_sum_, operand_, least_, greatest_,
      absolute_;
  // Of the shift. Over keys: D, sqrt(sum sq^2 k^2 + q^2 sk^2), a sum nobody wants. Over columns:
  // sum p dv, sum p^2 sv^2, sum p |v - o| of the second, and dv's hull.
  std::vector<double> shift_q_, likely_q_;  // [quad][2 head_size][kQuad]
  Scratch moved_, likely_moved_, ignored_keys_, value_error_, value_squares_, moved_sum_,
      error_least_, error_greatest_, error_absolute_, ignored_columns_;
  Scratch unused_keys_, unused_columns_;  // for the rows of a quad that a visit leaves out
};

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_BLOCK_H_
