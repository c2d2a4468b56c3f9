// SPDX-License-Identifier: Apache-2.0
//
// What errors of Q, K and V themselves do to a block of rows: D, by how much each score may lie
// off, and sums of dv. Values are finite here or the bound is NaN, which nothing keeps.
#include <algorithm>
#include <cmath>

#include "reference/block.h"

namespace attest::reference {

void BlockSolver::ResizeShift(int64_t rows, int64_t keys, int64_t columns) {
  for (auto* q : {&shift_q_, &likely_q_}) q->resize(rows * 2 * problem_.head_size);
  for (Scratch* s : {&moved_, &likely_moved_}) s->Resize(rows, keys);
  for (Scratch* s : {&value_error_, &value_squares_, &moved_sum_, &error_least_, &error_greatest_,
                     &error_absolute_}) {
    s->Resize(rows, columns);
  }
  ignored_keys_.Resize(2 * kQuad, kKeyBlock);
  ignored_columns_.Resize(2 * kQuad, columns);
}

void BlockSolver::LoadShiftRows(const attest_tensor& q, std::vector<double>& packed) const {
  const int64_t size = 2 * problem_.head_size;
  std::vector<double> row(size);
  std::fill(packed.begin(), packed.end(), 0.0);
  for (int64_t r = 0; r < std::ssize(rows_); ++r) {
    ReadRow(q, b_, rows_[r].h, rows_[r].i, 0, size, row.data());
    double* column = &packed[r / kQuad * kQuad * size + r % kQuad];
    for (int64_t t = 0; t < size; ++t) column[t * kQuad] = row[t];
  }
}

// D_ij = |scale| sum_t (dq |k| + (|q| + dq) dk), and the root of the squares of its likely form. A
// row whose scores may lie elsewhere may meet a new maximum at every key.
void BlockSolver::ShiftScores() {
  LoadShiftRows(job_.shift->q, shift_q_);
  LoadShiftRows(job_.shift->likely_q, likely_q_);
  const int64_t size = 2 * problem_.head_size;
  const Quad sum = ignored_keys_.Quad(0), absolute = ignored_keys_.Quad(1);
  for (int64_t block = 0; block < pack_->Blocks(); ++block) {
    const int64_t first = block * kKeyBlock;
    for (int64_t quad = 0; quad < quads_; ++quad) {
      const KeyRange& span = quad_span_[quad];
      if (first < span.begin || first >= span.end) continue;
      const Quad squares = likely_moved_.Quad(quad, first);
      kernels_.dot(certain_->KeyBlock(block), kKeyBlock / kPanel, size,
                   &shift_q_[quad * kQuad * size], moved_.Quad(quad, first), nullptr, nullptr);
      kernels_.dot(likely_->KeyBlock(block), kKeyBlock / kPanel, size,
                   &likely_q_[quad * kQuad * size], sum, &absolute, &squares);
    }
  }
  const double scale = std::fabs(problem_.scale);
  for (int64_t r = 0; r < std::ssize(rows_); ++r) {
    const KeyRange& span = quad_span_[r / kQuad];
    RowFacts& facts = states_[r].facts;
    kernels_.scale(moved_.Row(r, span.begin), span.end - span.begin, scale);
    for (int64_t j = span.begin; j < span.end; ++j) {
      facts.moved = std::fmax(facts.moved, *moved_.Row(r, j));
      *likely_moved_.Row(r, j) = scale * std::sqrt(*likely_moved_.Row(r, j));
    }
    if (!(facts.moved == 0)) facts.chain = facts.visible;
  }
}

void BlockSolver::ComputeShift() {
  for (int64_t r = 0; r < std::ssize(rows_); ++r) {
    ComputeHull(*certain_, r, error_least_, error_greatest_, error_absolute_);
  }
  ShiftValues();
  ShiftTerm();
}

// sum p dv and sum p^2 sv^2.
void BlockSolver::ShiftValues() {
  value_error_.Fill(0);
  value_squares_.Fill(0);
  const Quad sum = ignored_columns_.Quad(0), absolute = ignored_columns_.Quad(1);
  for (int64_t block = 0; block < pack_->Blocks(); ++block) {
    const int64_t first = block * kKeyBlock;
    const int64_t keys = std::min(kKeyBlock, pack_->Keys() - first);
    for (int64_t quad = 0; quad < quads_; ++quad) {
      const KeyRange& span = quad_span_[quad];
      if (first < span.begin || first >= span.end) continue;
      const Quad p = p_.Quad(quad, first), squares = value_squares_.Quad(quad);
      kernels_.accumulate(certain_->ValueBlock(block), keys, pack_->Columns(), p,
                          value_error_.Quad(quad), nullptr, nullptr);
      kernels_.accumulate(likely_->ValueBlock(block), keys, pack_->Columns(), p, sum, &absolute,
                          &squares);
    }
  }
}

// sum p |v - o| times the likely move of the score.
void BlockSolver::ShiftTerm() {
  for (int64_t r = 0; r < std::ssize(rows_); ++r) {
    const KeyRange& span = quad_span_[r / kQuad];
    const double* p = p_.Row(r);
    double* weighted = weighted_.Row(r);
    const double* moved = likely_moved_.Row(r);
    for (int64_t j = span.begin; j < span.end; ++j) weighted[j] = p[j] * moved[j];
  }
  moved_sum_.Fill(0);
  for (int64_t block = 0; block < pack_->Blocks(); ++block) {
    const int64_t first = block * kKeyBlock;
    const int64_t keys = std::min(kKeyBlock, pack_->Keys() - first);
    for (int64_t quad = 0; quad < quads_; ++quad) {
      const KeyRange& span = quad_span_[quad];
      if (first < span.begin || first >= span.end) continue;
      kernels_.deviation(pack_->ValueBlock(block), keys, pack_->Columns(),
                         weighted_.Quad(quad, first), output_.Quad(quad), moved_sum_.Quad(quad));
    }
  }
}

void BlockSolver::AddShift(int64_t r, int64_t c, ColumnFacts& facts) {
  facts.value_error = value_error_.Row(r)[c];
  facts.value_largest = error_greatest_.Row(r)[c];
  facts.value_absolute = error_absolute_.Row(r)[c];
  facts.value_squares = value_squares_.Row(r)[c];
  facts.moved = moved_sum_.Row(r)[c];
}

}  // namespace attest::reference
