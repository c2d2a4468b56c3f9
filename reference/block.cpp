// SPDX-License-Identifier: Apache-2.0
//
// Scores and softmax of a block of rows; block_sums.cpp has the sums over V and the bound. Loops
// run over blocks of keys outside and quads of rows inside, so that K and V are read from the
// nearest cache by all rows of the block.
#include "reference/block.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "reference/chains.h"

namespace attest::reference {
namespace {

constexpr double kMasked = -std::numeric_limits<double>::infinity();

int64_t RoundUp(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

}  // namespace

int64_t BlockSolver::RowsPerBlock(int64_t keys) {
  // 2^16 elements of each scratch matrix are half a MiB: a few of them fit in a level-two cache.
  const int64_t rows = (int64_t{1} << 16) / std::max<int64_t>(keys, 1) / kQuad * kQuad;
  return std::clamp<int64_t>(rows, 2 * kQuad, 8 * kQuad);
}

BlockSolver::BlockSolver(const Job& job) : job_(job), problem_(job.problem), kernels_(job.kernels) {
  const int64_t rows = RowsPerBlock(problem_.kv_sequence_length);
  const int64_t keys = RoundUp(problem_.kv_sequence_length, kKeyBlock);
  const int64_t columns = RoundUp(problem_.v_head_size, kPanel);
  const bool bounded = !job.roundings.empty();
  wants_operand_ = std::any_of(job.roundings.begin(), job.roundings.end(),
                               [](const Rounding& r) { return r.u_op > 0 || r.u_p > 0; });
  q_.resize(rows * problem_.head_size);
  states_.resize(rows);
  quad_span_.resize(rows / kQuad);
  one_block_.resize(kKeyBlock * columns);
  for (Scratch* s : {&score_, &p_}) s->Resize(rows, keys);
  for (Scratch* s : {&output_, &least_, &greatest_, &absolute_}) s->Resize(rows, columns);
  unused_keys_.Resize(kQuad, kKeyBlock);
  unused_columns_.Resize(kQuad, columns);
  if (job.shift != nullptr) ResizeShift(rows, keys, columns);
  if (!bounded) return;
  stack_.resize(keys);
  if (problem_.softcap > 0 || job.mask.HasBias()) raw_.Resize(rows, keys);
  for (Scratch* s : {&product_, &weighted_, &spread_}) s->Resize(rows, keys);
  for (Scratch* s : {&total_, &deviation_, &spread_sum_, &p_squares_, &operand_}) {
    s->Resize(rows, columns);
  }
  if (wants_operand_) squares_.Resize(rows, keys);
  if ((problem_.outputs & ATTEST_OUTPUT_WEIGHTS) != 0) relative_.Resize(rows, keys);
}

void BlockSolver::Solve(const Packs& packs, int64_t b, std::span<const Row> rows) {
  pack_ = &packs.exact;
  certain_ = packs.certain;
  likely_ = packs.likely;
  LoadRows(b, rows);
  ComputeScores();
  for (int64_t r = 0; r < std::ssize(rows_); ++r) FinishRow(r);
  if (!job_.roundings.empty()) {
    for (int64_t quad = 0; quad < quads_; ++quad) CountChains(quad);
    if (job_.shift != nullptr) ShiftScores();
  }
  ComputeOutputs();
  if (problem_.dtype == ATTEST_F64) RefineRows();
  for (int64_t r = 0; r < std::ssize(rows_); ++r) {
    ComputeHull(*pack_, r, least_, greatest_, absolute_);
    StoreRow(r);
  }
  if (!job_.answer.sensitivity.empty()) ComputeSensitivity();
  if (wants_operand_) ComputeOperandTerm();
  if (job_.shift != nullptr && !job_.roundings.empty()) ComputeShift();
  for (size_t n = 0; n < job_.roundings.size(); ++n) {
    ComputeBound(job_.roundings[n], job_.answer.bounds[n]);
  }
}

void BlockSolver::LoadRows(int64_t b, std::span<const Row> rows) {
  b_ = b;
  rows_ = rows;
  quads_ = (std::ssize(rows) + kQuad - 1) / kQuad;
  std::fill(q_.begin(), q_.end(), 0.0);
  std::fill(states_.begin(), states_.end(), RowState{});
  std::vector<double> q(problem_.head_size);
  for (int64_t quad = 0; quad < quads_; ++quad) {
    KeyRange span{problem_.kv_sequence_length, 0};
    for (int64_t r = quad * kQuad; r < std::min<int64_t>((quad + 1) * kQuad, std::ssize(rows));
         ++r) {
      ReadRow(job_.q, b, rows[r].h, rows[r].i, 0, problem_.head_size, q.data());
      double* packed = &q_[quad * kQuad * problem_.head_size + r % kQuad];
      for (int64_t t = 0; t < problem_.head_size; ++t) packed[t * kQuad] = q[t];
      states_[r].range = job_.mask.Range(b, rows[r].i);
      const KeyRange& range = states_[r].range;
      if (range.begin >= range.end) continue;
      span.begin = std::min(span.begin, range.begin / kKeyBlock * kKeyBlock);
      span.end = std::max(span.end, RoundUp(range.end, kKeyBlock));
    }
    quad_span_[quad] = span.begin < span.end ? span : KeyRange{0, 0};
  }
}

void BlockSolver::ComputeScores() {
  const bool bounded = !job_.roundings.empty();
  for (int64_t block = 0; block < pack_->Blocks(); ++block) {
    const int64_t first = block * kKeyBlock;
    for (int64_t quad = 0; quad < quads_; ++quad) {
      const KeyRange& span = quad_span_[quad];
      if (first < span.begin || first >= span.end) continue;
      const Quad product = bounded ? product_.Quad(quad, first) : Quad{};
      const Quad squares = wants_operand_ ? squares_.Quad(quad, first) : Quad{};
      kernels_.dot(pack_->KeyBlock(block), kKeyBlock / kPanel, problem_.head_size,
                   &q_[quad * kQuad * problem_.head_size], score_.Quad(quad, first),
                   bounded ? &product : nullptr, wants_operand_ ? &squares : nullptr);
    }
  }
}

void BlockSolver::MaskRow(int64_t r, const KeyRange& span) {
  const KeyRange& range = states_[r].range;
  double* score = score_.Row(r);
  const int64_t begin = std::clamp(range.begin, span.begin, span.end);
  const int64_t end = std::clamp(range.end, begin, span.end);
  if (begin < end) job_.mask.Apply(b_, rows_[r].h, rows_[r].i, begin, end, score + begin);
  std::fill(score + span.begin, score + begin, kMasked);
  std::fill(score + end, score + span.end, kMasked);
}

void BlockSolver::FinishRow(int64_t r) {
  const KeyRange& span = quad_span_[r / kQuad];
  const int64_t count = span.end - span.begin;
  RowFacts& facts = states_[r].facts;
  double* score = score_.Row(r, span.begin);
  double* p = p_.Row(r, span.begin);
  kernels_.scale(score, count, problem_.scale);
  if (HasRaw()) std::copy(score, score + count, raw_.Row(r, span.begin));
  if (problem_.softcap > 0) kernels_.softcap(score, count, problem_.softcap);
  MaskRow(r, span);
  facts.visible = count - std::count(score, score + count, kMasked);
  if (facts.visible == 0) {
    std::fill(p, p + count, 0.0);
    facts.lse = kMasked;
    return;
  }
  facts.maximum = kernels_.maximum(score, count);
  facts.sum = kernels_.exponential(score, count, facts.maximum, p);
  facts.lse = facts.maximum + std::log(facts.sum);
  kernels_.scale(p, count, 1 / facts.sum);
  if (job_.roundings.empty()) return;
  kernels_.scale(product_.Row(r, span.begin), count, std::fabs(problem_.scale));
}

void BlockSolver::CountChains(int64_t quad) {
  const KeyRange& span = quad_span_[quad];
  const int64_t count = span.end - span.begin;
  std::array<int64_t, kQuad> longest;
  const bool is_done = kernels_.chains(score_.Quad(quad, span.begin), count, longest.data());
  for (int64_t n = 0; n < kQuad; ++n) {
    const int64_t r = quad * kQuad + n;
    states_[r].facts.chain =
        is_done ? longest[n] : LongestMaximumChain(score_.Row(r, span.begin), count, stack_.data());
  }
}

}  // namespace attest::reference
