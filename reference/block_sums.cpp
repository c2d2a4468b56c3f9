// SPDX-License-Identifier: Apache-2.0
//
// The sums over V of a block of rows: outputs, hull, and the bound, which needs the outputs first.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "reference/block.h"
#include "reference/refine.h"

namespace attest::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kMasked = -kInfinity;

// The rows to use of a quad: all where only < 0, else that one, the others replaced by `unused`.
Quad Pick(Quad all, int64_t only, Quad unused) {
  if (only < 0) return all;
  unused.row[only] = all.row[only];
  return unused;
}

}  // namespace

template <typename Visit>
void BlockSolver::VisitValues(Visit visit) {
  for (int64_t block = 0; block < pack_->Blocks(); ++block) {
    const int64_t first = block * kKeyBlock;
    const int64_t keys = std::min(kKeyBlock, pack_->Keys() - first);
    for (int64_t quad = 0; quad < quads_; ++quad) {
      const KeyRange& span = quad_span_[quad];
      if (first < span.begin || first >= span.end) continue;
      if (pack_->IsFinite(block)) {
        visit(pack_->ValueBlock(block), keys, quad, first, -1);
        continue;
      }
      for (int64_t only = 0; only < kQuad; ++only) {
        const double* score = score_.Row(quad * kQuad + only, first);
        for (int64_t j = 0; j < keys; ++j) {
          const double* value = pack_->Value(first + j);
          double* copy = &one_block_[j * pack_->Columns()];
          for (int64_t c = 0; c < pack_->Columns(); ++c) {
            copy[c] = score[j] == kMasked ? 0 : value[c];
          }
        }
        visit(one_block_.data(), keys, quad, first, only);
      }
    }
  }
}

void BlockSolver::ComputeOutputs() {
  const bool bounded = !job_.roundings.empty();
  output_.Fill(0);
  total_.Fill(0);
  p_squares_.Fill(0);
  VisitValues([&](const double* v, int64_t keys, int64_t quad, int64_t first, int64_t only) {
    const Quad unused = unused_columns_.Quad(0);
    const Quad p = Pick(p_.Quad(quad, first), only, unused_keys_.Quad(0));
    const Quad output = Pick(output_.Quad(quad), only, unused);
    const Quad total = bounded ? Pick(total_.Quad(quad), only, unused) : Quad{};
    const Quad squares = wants_operand_ ? Pick(p_squares_.Quad(quad), only, unused) : Quad{};
    kernels_.accumulate(v, keys, pack_->Columns(), p, output, bounded ? &total : nullptr,
                        wants_operand_ ? &squares : nullptr);
  });
}

void BlockSolver::RefineRows() {
  std::vector<double> bias;
  for (int64_t r = 0; r < std::ssize(rows_); ++r) {
    if (IsDead(r)) continue;
    const KeyRange& range = states_[r].range;
    RefinedRow row{.q = &q_[r / kQuad * kQuad * problem_.head_size + r % kQuad], .bias = nullptr};
    if (job_.mask.HasBias()) {
      bias.assign(range.end - range.begin, 0.0);
      job_.mask.Apply(b_, rows_[r].h, rows_[r].i, range.begin, range.end, bias.data());
      row.bias = bias.data();
    }
    row.first = range.begin;
    row.last = range.end;
    row.score = score_.Row(r, range.begin);
    row.raw = Raw(r, range.begin);
    row.p = p_.Row(r, range.begin);
    row.output = output_.Row(r);
    RefineRow(problem_, *pack_, row);
    RowFacts& facts = states_[r].facts;
    facts.maximum = row.maximum;
    facts.sum = row.sum;
    facts.lse = row.lse;
  }
}

void BlockSolver::ComputeHull(const Pack& pack, int64_t r, Scratch& least_of, Scratch& greatest_of,
                              Scratch& absolute_of) {
  double* least = least_of.Row(r);
  double* greatest = greatest_of.Row(r);
  double* absolute = absolute_of.Row(r);
  const int64_t columns = pack.Columns();
  std::fill_n(least, columns, kInfinity);
  std::fill_n(greatest, columns, -kInfinity);
  std::fill_n(absolute, columns, 0.0);
  const KeyRange& span = quad_span_[r / kQuad];
  for (int64_t first = span.begin; first < span.end; first += kKeyBlock) {
    const double* score = score_.Row(r, first);
    std::array<int32_t, kKeyBlock> seen;
    int64_t count = 0;
    for (int32_t j = 0; j < kKeyBlock; ++j) {
      seen[count] = j;
      count += score[j] != kMasked ? 1 : 0;
    }
    const int64_t block = first / kKeyBlock;
    if (count < kKeyBlock) {
      kernels_.hull(pack.ValueBlock(block), seen.data(), count, columns, least, greatest, absolute);
      continue;
    }
    for (int64_t c = 0; c < columns; ++c) {
      least[c] = std::min(least[c], pack.Least(block)[c]);
      greatest[c] = std::max(greatest[c], pack.Greatest(block)[c]);
      absolute[c] += pack.Absolute(block)[c];
    }
  }
}

// Works in the scratch of the bound, which comes later.
void BlockSolver::ComputeSensitivity() {
  std::vector<double> mean(rows_.size());
  for (int64_t r = 0; r < std::ssize(rows_); ++r) {
    const KeyRange& span = quad_span_[r / kQuad];
    for (int64_t j = span.begin; j < span.end; ++j) {
      const bool masked = *score_.Row(r, j) == kMasked;
      const double weighted = masked ? 0 : *p_.Row(r, j) * *Raw(r, j);
      *weighted_.Row(r, j) = weighted;
      mean[r] += weighted;
    }
  }
  deviation_.Fill(0);
  VisitValues([&](const double* v, int64_t keys, int64_t quad, int64_t first, int64_t only) {
    kernels_.accumulate(
        v, keys, pack_->Columns(), Pick(weighted_.Quad(quad, first), only, unused_keys_.Quad(0)),
        Pick(deviation_.Quad(quad), only, unused_columns_.Quad(0)), nullptr, nullptr);
  });
  const int64_t size = problem_.v_head_size;
  for (int64_t r = 0; r < std::ssize(rows_); ++r) {
    if (IsDead(r)) continue;
    double* stored = &job_.answer.sensitivity[rows_[r].slot * size];
    for (int64_t c = 0; c < size; ++c) {
      stored[c] = deviation_.Row(r)[c] - mean[r] * output_.Row(r)[c];
    }
  }
}

void BlockSolver::ComputeOperandTerm() {
  for (int64_t r = 0; r < std::ssize(rows_); ++r) {
    const KeyRange& span = quad_span_[r / kQuad];
    for (int64_t j = span.begin; j < span.end; ++j) {
      const bool masked = *score_.Row(r, j) == kMasked;
      *weighted_.Row(r, j) = masked ? 0 : *p_.Row(r, j) * std::sqrt(*squares_.Row(r, j));
    }
  }
  operand_.Fill(0);
  VisitValues([&](const double* v, int64_t keys, int64_t quad, int64_t first, int64_t only) {
    const Quad unused = unused_columns_.Quad(0);
    kernels_.deviation(v, keys, pack_->Columns(),
                       Pick(weighted_.Quad(quad, first), only, unused_keys_.Quad(0)),
                       output_.Quad(quad), Pick(operand_.Quad(quad), only, unused));
  });
}

ErrorRow BlockSolver::ErrorRowOf(int64_t r, int64_t first) {
  return {.product = product_.Row(r, first),
          .raw = Raw(r, first),
          .score = score_.Row(r, first),
          .p = p_.Row(r, first),
          .weighted = weighted_.Row(r, first),
          .spread = spread_.Row(r, first),
          .relative = relative_.IsEmpty() ? nullptr : relative_.Row(r, first),
          .moved = job_.shift == nullptr ? nullptr : moved_.Row(r, first)};
}

void BlockSolver::ComputeBound(const Rounding& rounding, Bound& bound) {
  std::vector<RowBound> row_bounds;
  for (int64_t r = 0; r < std::ssize(rows_); ++r) {
    RowBound& row_bound = row_bounds.emplace_back(problem_, rounding, states_[r].facts);
    if (IsDead(r)) continue;
    const KeyRange& span = quad_span_[r / kQuad];
    row_bound.SetSums(kernels_.errors(ErrorRowOf(r, span.begin), span.end - span.begin,
                                      row_bound.Coefficients()));
  }
  deviation_.Fill(0);
  spread_sum_.Fill(0);
  VisitValues([&](const double* v, int64_t keys, int64_t quad, int64_t first, int64_t only) {
    const Quad unused = unused_columns_.Quad(0);
    const Quad unused_keys = unused_keys_.Quad(0);
    kernels_.spread(v, keys, pack_->Columns(), Pick(weighted_.Quad(quad, first), only, unused_keys),
                    Pick(spread_.Quad(quad, first), only, unused_keys), output_.Quad(quad),
                    Pick(deviation_.Quad(quad), only, unused),
                    Pick(spread_sum_.Quad(quad), only, unused));
  });
  for (int64_t r = 0; r < std::ssize(rows_); ++r) StoreBound(r, row_bounds[r], bound);
}

void BlockSolver::StoreBound(int64_t r, const RowBound& row_bound, Bound& bound) {
  const int64_t slot = rows_[r].slot;
  if (IsDead(r)) return;  // everything is exact: the bound is sized with zeros
  bound.lse[slot] = row_bound.Lse();
  for (int64_t c = 0; c < problem_.v_head_size; ++c) {
    ColumnFacts facts{.output = output_.Row(r)[c],
                      .least = least_.Row(r)[c],
                      .greatest = greatest_.Row(r)[c],
                      .absolute = absolute_.Row(r)[c],
                      .total = total_.Row(r)[c],
                      .squares = p_squares_.Row(r)[c],
                      .deviation = deviation_.Row(r)[c],
                      .spread = spread_sum_.Row(r)[c],
                      .operand = operand_.Row(r)[c]};
    if (job_.shift != nullptr) AddShift(r, c, facts);
    const ColumnBound column = row_bound.Column(facts);
    bound.output[slot * problem_.v_head_size + c] = column.certain;
    bound.probabilistic[slot * problem_.v_head_size + c] = column.probabilistic;
  }
  if (bound.weights.empty()) return;
  for (int64_t j = states_[r].range.begin; j < states_[r].range.end; ++j) {
    if (*score_.Row(r, j) == kMasked) continue;
    bound.weights[slot * problem_.kv_sequence_length + j] =
        row_bound.Weight(*p_.Row(r, j), *relative_.Row(r, j));
  }
}

void BlockSolver::StoreRow(int64_t r) {
  Answer& answer = job_.answer;
  const int64_t slot = rows_[r].slot;
  const int64_t size = problem_.v_head_size;
  std::copy_n(output_.Row(r), size, &answer.output[slot * size]);
  std::copy_n(least_.Row(r), size, &answer.hull_min[slot * size]);
  std::copy_n(greatest_.Row(r), size, &answer.hull_max[slot * size]);
  if (IsDead(r)) {
    // The empty hull is where the answer of a dead row lies.
    std::fill_n(&answer.output[slot * size], size, 0.0);
    std::fill_n(&answer.hull_min[slot * size], size, 0.0);
    std::fill_n(&answer.hull_max[slot * size], size, 0.0);
  }
  answer.lse[slot] = states_[r].facts.lse;
  if (IsDead(r) || answer.weights.empty()) return;
  const KeyRange& range = states_[r].range;
  std::copy_n(p_.Row(r, range.begin), range.end - range.begin,
              &answer.weights[slot * problem_.kv_sequence_length + range.begin]);
}

}  // namespace attest::reference
