// SPDX-License-Identifier: Apache-2.0
#include "planted_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "harness/core/convert.h"
#include "harness/core/tensors.h"
#include "harness/judge/probes.h"

namespace attest::judge {
namespace {

constexpr int64_t kTile = 16;
constexpr float kLog2E = 1.44269504f;

class Attention {
 public:
  Attention(const attest_problem& problem, const std::vector<attest_tensor>& tensors,
            Algorithm algorithm, Fault fault)
      : p_(problem), tensors_(tensors), algorithm_(algorithm), fault_(fault) {
    q_ = Decoded(Of(ATTEST_ROLE_Q));
    k_ = Decoded(Of(ATTEST_ROLE_K));
    v_ = Decoded(Of(ATTEST_ROLE_V));
  }

  void Row(int64_t b, int64_t h, int64_t i) {
    const int64_t row = fault_ == Fault::kRowCopied && i == 7 ? i - 1 : i;
    Collect(b, h, row);
    std::vector<float> out(static_cast<size_t>(p_.v_head_size), 0.0f);
    if (!keys_.empty())
      algorithm_ == Algorithm::kOnline16 || algorithm_ == Algorithm::kReversedOnline16
          ? Online(out)
          : TwoPass(out);
    const attest_tensor& to = Of(ATTEST_ROLE_OUT);
    for (int64_t c = 0; c < p_.v_head_size; ++c)
      StoreElement(to.data, to.dtype, OffsetOf(to, b, h, i, c), out[static_cast<size_t>(c)]);
  }

 private:
  struct Key {
    float score;
    int64_t index;  // -1: padding, V = 0
  };

  static std::vector<float> Decoded(const attest_tensor& tensor) {
    std::vector<float> values(static_cast<size_t>(ExtentElements(tensor)));
    for (size_t at = 0; at < values.size(); ++at)
      values[at] =
          static_cast<float>(LoadElement(tensor.data, tensor.dtype, static_cast<int64_t>(at)));
    return values;
  }

  const attest_tensor& Of(int32_t role) const {
    return *std::find_if(tensors_.begin(), tensors_.end(),
                         [&](const attest_tensor& t) { return t.role == role; });
  }

  bool Sees(int64_t b, int64_t h, int64_t i, int64_t j) const {
    const int64_t length = p_.has_kv_lengths
                               ? static_cast<const int64_t*>(Of(ATTEST_ROLE_KV_LENGTHS).data)[b]
                               : p_.kv_sequence_length;
    int64_t at = i + (p_.has_kv_lengths ? length - p_.q_sequence_length : p_.causal_offset);
    if (fault_ == Fault::kTopLeft) at = i;
    if (p_.has_kv_lengths && j >= length && fault_ != Fault::kLengthsIgnored) return false;
    const int64_t edge = at + (fault_ == Fault::kCausalLoose) - (fault_ == Fault::kCausalStrict);
    if (p_.is_causal && j > edge) return false;
    const int64_t wider = fault_ == Fault::kWindowLoose;
    if (p_.left_window_size >= 0 && j < at - p_.left_window_size - wider) return false;
    if (p_.right_window_size >= 0 && j > at + p_.right_window_size + wider) return false;
    if (p_.attn_mask != ATTEST_MASK_BOOLEAN) return true;
    const attest_tensor& mask = Of(ATTEST_ROLE_MASK);
    const bool set = static_cast<const uint8_t*>(mask.data)[OffsetOf(mask, b, h, i, j)] != 0;
    return set != (fault_ == Fault::kMaskInverted);
  }

  float Score(int64_t b, int64_t h, int64_t i, int64_t j, int64_t kv) const {
    const attest_tensor &q = Of(ATTEST_ROLE_Q), &k = Of(ATTEST_ROLE_K);
    float sum = 0;
    for (int64_t t = 0; t < p_.head_size - (fault_ == Fault::kLastDimensionDropped); ++t)
      sum += q_[static_cast<size_t>(OffsetOf(q, b, h, i, t))] *
             k_[static_cast<size_t>(OffsetOf(k, batch_, kv, j, t))];
    sum *= static_cast<float>(p_.scale);
    if (p_.attn_mask == ATTEST_MASK_ADDITIVE) {
      const attest_tensor& mask = Of(ATTEST_ROLE_MASK);
      sum += static_cast<float>(LoadElement(mask.data, mask.dtype, OffsetOf(mask, b, h, i, j)));
    }
    return sum;
  }

  void Collect(int64_t b, int64_t h, int64_t i) {
    const int64_t group = p_.q_num_heads / p_.kv_num_heads;
    kv_ = fault_ == Fault::kGqaModulo ? h % p_.kv_num_heads : h / group;
    if (fault_ == Fault::kHeadsPermuted) kv_ = p_.kv_num_heads - 1 - kv_;
    batch_ = fault_ == Fault::kBatchZero ? 0 : b;
    keys_.clear();
    const int64_t length = p_.kv_sequence_length - (fault_ == Fault::kLastKeyDropped);
    for (int64_t j = 0; j < length; ++j) {
      if (!Sees(b, h, i, j)) continue;
      const int64_t read = fault_ == Fault::kIndexWraps ? j % 128 : j;
      const float score = Score(b, h, i, read, kv_);
      if (score == -std::numeric_limits<float>::infinity()) continue;
      keys_.push_back({score, read});
      if (fault_ == Fault::kTileTwice && j == kTile) keys_.push_back(keys_.back());
    }
    if (keys_.empty() && fault_ == Fault::kDeadRowMean)
      for (int64_t j = 0; j < length; ++j) keys_.push_back({0, j});
    for (int64_t j = length; fault_ == Fault::kPaddedTail && j % 64 != 0; ++j)
      keys_.push_back({0, -1});
  }

  float Value(const Key& key, int64_t c) const {
    const attest_tensor& v = Of(ATTEST_ROLE_V);
    return key.index < 0 ? 0
                         : static_cast<float>(LoadElement(v.data, v.dtype,
                                                          OffsetOf(v, batch_, kv_, key.index, c)));
  }

  float Exp(float score, float maximum) const {
    // With a fused multiply-add the shift is rounded and the product is not: exp of 0 comes out
    // near 1, not as 1.
    if (algorithm_ == Algorithm::kExp2)
      return std::exp2(std::fma(score, kLog2E, -(maximum * kLog2E)));
    return std::exp(score - maximum);
  }

  void TwoPass(std::vector<float>& out) const {
    float maximum = keys_[0].score, sum = 0;
    const size_t looked =
        fault_ == Fault::kStaleMaximum ? std::min<size_t>(keys_.size(), kTile) : keys_.size();
    for (size_t n = 0; n < looked; ++n) maximum = std::max(maximum, keys_[n].score);
    if (fault_ == Fault::kNoMaximum) maximum = 0;
    std::vector<float> p;
    for (size_t n = 0; n < keys_.size(); ++n) {
      p.push_back(Exp(keys_[n].score, maximum));
      if (fault_ == Fault::kLastTileSum && n % kTile == 0) sum = 0;
      sum += p.back();
    }
    for (size_t n = 0; n < keys_.size(); ++n) {
      if (algorithm_ == Algorithm::kNormalisedFirst) p[n] /= sum;
      if (algorithm_ == Algorithm::kLowProbabilities)
        p[n] = static_cast<float>(FromBf16(ToBf16(p[n])));
      for (size_t c = 0; c < out.size(); ++c)
        out[c] += p[n] * Value(keys_[n], static_cast<int64_t>(c));
    }
    for (float& value : out)
      value = algorithm_ == Algorithm::kNormalisedFirst ? value : value / sum;
  }

  void Online(std::vector<float>& out) {
    if (algorithm_ == Algorithm::kReversedOnline16) std::reverse(keys_.begin(), keys_.end());
    float maximum = -std::numeric_limits<float>::infinity(), sum = 0, tiles = 0;
    for (size_t first = 0; first < keys_.size(); first += kTile, ++tiles) {
      const size_t last = std::min(keys_.size(), first + kTile);
      float higher = maximum;
      for (size_t n = first; n < last; ++n) higher = std::max(higher, keys_[n].score);
      float rescale = std::exp(maximum - higher), own = 0;
      if (fault_ == Fault::kNotRescaled) rescale = 1;
      std::vector<float> tile(out.size(), 0.0f);
      for (size_t n = first; n < last; ++n) {
        const float p = std::exp(keys_[n].score - higher);
        own += p;
        for (size_t c = 0; c < out.size(); ++c)
          tile[c] += p * Value(keys_[n], static_cast<int64_t>(c));
      }
      if (fault_ == Fault::kTilesAveraged) rescale = 1;
      const float share = fault_ == Fault::kTilesAveraged ? 1 / own : 1;
      for (size_t c = 0; c < out.size(); ++c) out[c] = out[c] * rescale + tile[c] * share;
      sum = sum * (fault_ == Fault::kNotRescaled ? std::exp(maximum - higher) : rescale) +
            own * share;
      maximum = fault_ == Fault::kTilesAveraged ? -std::numeric_limits<float>::infinity() : higher;
    }
    for (float& value : out) value /= fault_ == Fault::kTilesAveraged ? tiles : sum;
  }

  const attest_problem& p_;
  const std::vector<attest_tensor>& tensors_;
  Algorithm algorithm_;
  Fault fault_;
  std::vector<float> q_, k_, v_;
  std::vector<Key> keys_;
  int64_t kv_ = 0, batch_ = 0;
};

}  // namespace

void Attend(const attest_problem& problem, const std::vector<attest_tensor>& tensors,
            Algorithm algorithm, Fault fault) {
  Attention attention(problem, tensors, algorithm, fault);
  for (int64_t b = 0; b < problem.batch_size; ++b)
    for (int64_t h = 0; h < problem.q_num_heads; ++h)
      for (int64_t i = 0; i < problem.q_sequence_length; ++i) attention.Row(b, h, i);
}

}  // namespace attest::judge
