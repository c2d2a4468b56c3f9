// SPDX-License-Identifier: Apache-2.0
#include "scores.h"

#include <cmath>
#include <limits>

#include "formats.h"

namespace mutants {
namespace {

double ScaleOf(const attest_problem& problem, const Mutant& mutant) {
  const double head_size = static_cast<double>(problem.head_size);
  switch (mutant.fault) {
    case Fault::kNoScale:
      return 1;
    case Fault::kScaleOfPaddedHead:
      return problem.scale * std::sqrt(head_size / (64 * std::ceil(head_size / 64)));
    case Fault::kScaleIgnored:
      return 1 / std::sqrt(head_size);
    case Fault::kScaleOnePercentOff:
      return problem.scale * 1.01;
    default:
      return mutant.algorithm.sqrt_scale ? std::copysign(1.0, problem.scale) : problem.scale;
  }
}

}  // namespace

template <typename Real>
Scores<Real>::Scores(const attest_problem& problem, const Mutant& mutant, const Operands& operands)
    : problem_(problem),
      mutant_(mutant),
      operands_(operands),
      scale_(static_cast<Real>(ScaleOf(problem, mutant))),
      size_(problem.head_size - (Has(Fault::kLastDimensionDropped) ? 1 : 0)) {}

template <typename Real>
QueryRow Scores<Real>::RowOf(int64_t b, int64_t h, int64_t i) const {
  const int64_t group = problem_.q_num_heads / problem_.kv_num_heads;
  QueryRow row{b, h, i, b, h / group};
  if (Has(Fault::kHeadsModulo)) row.kv_head = h % problem_.kv_num_heads;
  if (Has(Fault::kHeadsPermuted)) row.kv_head = (row.kv_head + 1) % problem_.kv_num_heads;
  if (Has(Fault::kFirstBatchForAll)) row.kv_batch = 0;
  return row;
}

template <typename Real>
Real Scores<Real>::Of(const QueryRow& row, int64_t j) const {
  constexpr Real kHidden = -std::numeric_limits<Real>::infinity();
  const bool lowers = Has(Fault::kHiddenByMinus10) || Has(Fault::kHiddenByMinus10000);
  const bool visible = Visible(row, j);
  if (!visible && !lowers) return kHidden;
  const Real bias = Bias(row, j);
  const Real scaled =
      Dot(operands_.Query(row.b, row.h, row.i), operands_.Key(row.kv_batch, row.kv_head, j)) *
      scale_;
  Real score = Has(Fault::kSoftcapAfterMask) ? Softcap(scaled + bias) : Softcap(scaled) + bias;
  if (!visible) score -= Has(Fault::kHiddenByMinus10) ? 10 : 10000;
  return RoundTo(mutant_.algorithm.scores, score);
}

template <typename Real>
bool Scores<Real>::Visible(const QueryRow& row, int64_t j) const {
  const attest_problem& p = problem_;
  const int64_t length = operands_.KvLength(row.b) - (Has(Fault::kLastKeyDropped) ? 1 : 0);
  int64_t offset =
      p.has_kv_lengths ? operands_.KvLength(row.b) - p.q_sequence_length : p.causal_offset;
  if (Has(Fault::kCausalTopLeft)) offset = 0;
  const int64_t center = row.i + offset;
  int64_t last = Has(Fault::kCausalByFourRows) ? (row.i | 3) + offset : center;
  if (Has(Fault::kCausalStrict)) --last;
  if (Has(Fault::kCausalLoose)) ++last;
  const int64_t left = p.left_window_size + (Has(Fault::kWindowOffByOne) ? 1 : 0);
  if (j >= length || (p.is_causal && j > last)) return false;
  if (p.left_window_size >= 0 && j < center - left) return false;
  if (p.right_window_size >= 0 && j > center + p.right_window_size) return false;
  if (p.attn_mask != ATTEST_MASK_BOOLEAN) return true;
  const int64_t b = Has(Fault::kMaskOfNextBatch) ? (row.b + 1) % p.batch_size : row.b;
  return operands_.Attends(b, row.h, row.i, j) != Has(Fault::kMaskInverted);
}

template <typename Real>
Real Scores<Real>::Dot(const float* q, const float* k) const {
  if (mutant_.algorithm.partial_sums) {
    Real sums[8] = {};
    for (int64_t c = 0; c < size_; ++c) sums[c % 8] += static_cast<Real>(q[c]) * k[c];
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) +
           ((sums[2] + sums[6]) + (sums[3] + sums[7]));
  }
  const int32_t format = Has(Fault::kBf16Scores) ? ATTEST_FORMAT_BF16 : ATTEST_FORMAT_NONE;
  Real dot = 0;
  for (int64_t c = 0; c < size_; ++c) dot = RoundTo(format, dot + static_cast<Real>(q[c]) * k[c]);
  return dot;
}

template <typename Real>
Real Scores<Real>::Bias(const QueryRow& row, int64_t j) const {
  const int64_t h = Has(Fault::kBiasOfNextHead) ? (row.h + 1) % problem_.q_num_heads : row.h;
  const Real bias = operands_.Bias(row.b, h, row.i, j);
  if (Has(Fault::kBiasScaled)) return bias * static_cast<Real>(problem_.scale);
  return Has(Fault::kBiasNegated) ? -bias : bias;
}

template <typename Real>
Real Scores<Real>::Softcap(Real score) const {
  const Real cap = static_cast<Real>(problem_.softcap);
  return cap > 0 && !Has(Fault::kSoftcapOmitted) ? cap * std::tanh(score / cap) : score;
}

template class Scores<float>;
template class Scores<double>;

}  // namespace mutants
