// SPDX-License-Identifier: Apache-2.0
#include "rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "formats.h"

namespace mutants {
namespace {

template <typename Real>
constexpr Real kMinusInfinity = -std::numeric_limits<Real>::infinity();

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// 2^fraction by a parabola through both ends: relative error up to 2e-3.
template <typename Real>
Real CoarseExp(Real x) {
  const Real power = std::max<Real>(x * static_cast<Real>(1.4426950408889634), -120);
  const Real whole = std::floor(power), fraction = power - whole;
  const Real mantissa = 1 + fraction * (Real(0.65617) + fraction * Real(0.34383));
  return std::ldexp(mantissa, static_cast<int>(whole));
}

}  // namespace

template <typename Real>
Rows<Real>::Rows(const attest_problem& problem, const Mutant& mutant, const Operands& operands)
    : problem_(problem),
      mutant_(mutant),
      operands_(operands),
      scorer_(problem, mutant, operands),
      scores_(problem.kv_sequence_length),
      query_sums_(problem.kv_sequence_length) {
  whole_.output.resize(problem.v_head_size);
  part_.output.resize(problem.v_head_size);
}

template <typename Real>
const std::vector<Real>& Rows<Real>::Compute(int64_t b, int64_t h, int64_t i) {
  const QueryRow row = scorer_.RowOf(b, h, i);
  Clear(whole_);
  live_parts_ = 0;
  if (Has(Fault::kSoftmaxOverQueries)) {
    ComputeOverQueries(row);
    return whole_.output;
  }
  const int64_t keys = problem_.kv_sequence_length;
  const int64_t splits =
      Has(Fault::kTilesAveraged) ? CeilDivide(keys, 16) : mutant_.algorithm.splits;
  const int64_t part = CeilDivide(keys, splits);
  for (int64_t first = 0; first < keys; first += part) {
    Scan(row, first, std::min(first + part, keys));
    Merge();
  }
  Finish(row);
  return whole_.output;
}

template <typename Real>
void Rows<Real>::Clear(State& state) const {
  state.max = kMinusInfinity<Real>;
  state.sum = 0;
  state.divided = 1;
  std::fill(state.output.begin(), state.output.end(), Real{0});
}

template <typename Real>
void Rows<Real>::Scan(const QueryRow& row, int64_t first, int64_t last) {
  Clear(part_);
  const int64_t tile = mutant_.algorithm.tile > 0 ? mutant_.algorithm.tile : last - first;
  const int64_t tiles = CeilDivide(last - first, tile);
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t begin = first + tile * (mutant_.algorithm.reversed ? tiles - 1 - t : t);
    Step(row, begin, std::min(begin + tile, last));
  }
  if (Has(Fault::kZeroPaddedTail)) AddPaddedTail();
}

template <typename Real>
void Rows<Real>::Step(const QueryRow& row, int64_t first, int64_t last) {
  Real max = part_.max;
  for (int64_t j = first; j < last; ++j) {
    const Real log2e = static_cast<Real>(mutant_.algorithm.exp2 ? 1.4426950408889634 : 1);
    scores_[j] = scorer_.Of(row, j) * log2e;
    max = std::max(max, scores_[j]);
  }
  const bool all_hidden = max == kMinusInfinity<Real>;
  if (all_hidden && !Has(Fault::kMaskedNanLeaks)) return;
  if (Has(Fault::kNoMaximum) || all_hidden) max = 0;
  const Real stale = part_.max;
  Rescale(part_, max);
  Exponentiate(first, last, Has(Fault::kStaleMaximum) && std::isfinite(stale) ? stale : max);
  Multiply(row, first, last);
  if (all_hidden) part_.max = stale;
}

template <typename Real>
void Rows<Real>::Rescale(State& state, Real max) const {
  const bool first = state.max == kMinusInfinity<Real>;
  const Real correction = first ? Real{0} : Exp(state.max - max);
  if (!first && !Has(Fault::kSumNotRescaled)) state.sum *= correction;
  if (!first && !Has(Fault::kOutputNotRescaled))
    for (Real& value : state.output) value *= correction;
  state.max = max;
}

template <typename Real>
void Rows<Real>::Exponentiate(int64_t first, int64_t last, Real max) {
  if (Has(Fault::kSumOfLastTile)) part_.sum = 0;
  for (int64_t j = first; j < last; ++j) {
    scores_[j] = scores_[j] == kMinusInfinity<Real> ? Real{0} : Exp(scores_[j] - max);
    part_.sum += scores_[j];
    if (Has(Fault::kEdgeKeyTwice) && j == 64) part_.sum += scores_[j];
  }
  if (!mutant_.algorithm.normalize_first) return;
  for (int64_t j = first; j < last; ++j) scores_[j] /= part_.sum;
  part_.divided = part_.sum;
  part_.sum = 1;
}

template <typename Real>
void Rows<Real>::Multiply(const QueryRow& row, int64_t first, int64_t last) {
  for (int64_t j = first; j < last; ++j) {
    const Real p = RoundTo(mutant_.algorithm.probabilities, scores_[j]);
    // What hidden rows of V hold, NaN say, must not reach the output: 0 x NaN is NaN.
    if (p == 0 && !Has(Fault::kMaskedNanLeaks)) continue;
    const float* v = operands_.Value(row.kv_batch, row.kv_head, ValueRow(j));
    Accumulate(p, v);
    if (Has(Fault::kEdgeKeyTwice) && j == 64) Accumulate(p, v);
  }
}

template <typename Real>
void Rows<Real>::Accumulate(Real p, const float* v) {
  const int32_t format = Has(Fault::kBf16Output)  ? ATTEST_FORMAT_BF16
                         : Has(Fault::kF16Output) ? ATTEST_FORMAT_F16
                                                  : ATTEST_FORMAT_NONE;
  for (int64_t c = 0; c < problem_.v_head_size; ++c)
    part_.output[c] = RoundTo(format, part_.output[c] + p * v[c]);
}

template <typename Real>
void Rows<Real>::AddPaddedTail() {
  const int64_t keys = problem_.kv_sequence_length;
  const Real score_of_zeros = 0;
  part_.sum +=
      static_cast<Real>(16 * CeilDivide(keys, 16) - keys) * Exp(score_of_zeros - part_.max);
}

template <typename Real>
void Rows<Real>::Merge() {
  if (part_.max == kMinusInfinity<Real> && !Has(Fault::kMaskedNanLeaks)) return;
  ++live_parts_;
  if (Has(Fault::kTilesAveraged)) {
    whole_.sum = static_cast<Real>(live_parts_);
    for (size_t c = 0; c < whole_.output.size(); ++c)
      whole_.output[c] += part_.output[c] / part_.sum;
    return;
  }
  if (live_parts_ == 1) {
    std::swap(whole_, part_);
    return;
  }
  const Real max = std::max(whole_.max, part_.max);
  const Real keep = Exp(whole_.max - max), add = Exp(part_.max - max);
  whole_.max = max;
  whole_.sum = whole_.sum * keep + part_.sum * add;
  for (size_t c = 0; c < whole_.output.size(); ++c)
    whole_.output[c] = whole_.output[c] * keep + part_.output[c] * add;
}

template <typename Real>
void Rows<Real>::Finish(const QueryRow& row) {
  Real sum = whole_.sum + (Has(Fault::kSumPlusThousandth) ? Real(1e-3) : Real{0});
  if (live_parts_ == 0) {  // no key: 0
    sum = 1;
    if (Has(Fault::kDeadRowIsNan)) whole_.output.assign(whole_.output.size(), NAN);
    for (int64_t j = 0; Has(Fault::kDeadRowIsMean) && j < problem_.kv_sequence_length; ++j)
      for (size_t c = 0; c < whole_.output.size(); ++c)
        whole_.output[c] += operands_.Value(row.kv_batch, row.kv_head, j)[c] /
                            static_cast<Real>(problem_.kv_sequence_length);
  }
  for (Real& value : whole_.output) value = sum == 0 ? value : value / sum;
}

template <typename Real>
Real Rows<Real>::Lse() const {
  if (live_parts_ == 0) return kMinusInfinity<Real>;
  const Real ln2 = static_cast<Real>(0.6931471805599453);
  const Real max = Has(Fault::kLseWithoutMaximum) ? 0 : whole_.max;
  return (mutant_.algorithm.exp2 ? max * ln2 : max) + std::log(whole_.sum * whole_.divided);
}

// P normalised over the queries that see a key instead of over the keys that a query sees. Rows of
// a head come in order, so its sums are made with the first.
template <typename Real>
void Rows<Real>::ComputeOverQueries(const QueryRow& row) {
  const int64_t keys = problem_.kv_sequence_length;
  if (row.i == 0) {
    std::fill(query_sums_.begin(), query_sums_.end(), Real{0});
    for (int64_t i = 0; i < problem_.q_sequence_length; ++i)
      for (int64_t j = 0; j < keys; ++j)
        query_sums_[j] += Exp(scorer_.Of(scorer_.RowOf(row.b, row.h, i), j));
  }
  for (int64_t j = 0; j < keys; ++j) {
    const Real p = query_sums_[j] > 0 ? Exp(scorer_.Of(row, j)) / query_sums_[j] : Real{0};
    const float* v = operands_.Value(row.kv_batch, row.kv_head, j);
    for (int64_t c = 0; c < problem_.v_head_size; ++c) whole_.output[c] += p * v[c];
  }
}

template <typename Real>
int64_t Rows<Real>::ValueRow(int64_t j) const {
  if (Has(Fault::kIndexWraps)) return j % 128;
  const int64_t other = j ^ 16;  // the neighbour tile of 16 keys
  return Has(Fault::kTilesSwapped) && other < problem_.kv_sequence_length ? other : j;
}

template <typename Real>
Real Rows<Real>::Exp(Real x) const {
  if (mutant_.algorithm.exp2) return std::exp2(x);
  if (Has(Fault::kFlushedExp) && x < -5) return 0;
  return Has(Fault::kCoarseExp) ? CoarseExp(x) : std::exp(x);
}

template class Rows<float>;
template class Rows<double>;

}  // namespace mutants
