// SPDX-License-Identifier: Apache-2.0
//
// One row at a time, by the letter of each algorithm; speed does not matter.
#include "emulation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/rounding.h"

namespace attest::reference {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

class Emulator {
 public:
  Emulator(const Case& c, const attest_contract& contract, const Algorithm& algorithm)
      : c_(c), p_(c.Problem()), contract_(contract), a_(algorithm) {}

  EmulatedRow Run(int64_t b, int64_t h, int64_t i);

 private:
  // State of an online softmax over some keys.
  struct Part {
    float maximum = kMasked;
    float sum = 0;
    std::vector<float> output;
  };

  float Sum(double x) const {
    return static_cast<float>(RoundTo(static_cast<float>(x), a_.accumulate));
  }
  float Operand(double x) const { return static_cast<float>(RoundTo(x, contract_.operands)); }
  float Probability(float x) const {
    return static_cast<float>(RoundTo(x, contract_.probabilities));
  }
  float Exp(float x) const { return a_.base_two ? std::exp2(x) : std::exp(x); }
  float Score(int64_t b, int64_t h, int64_t i, int64_t j) const;
  void AddTile(const std::vector<float>& scores, int64_t first, int64_t last, int64_t b, int64_t h,
               Part& part) const;
  Part Merge(const std::vector<Part>& parts) const;

  const Case& c_;
  const attest_problem& p_;
  const attest_contract& contract_;
  const Algorithm& a_;
};

float Emulator::Score(int64_t b, int64_t h, int64_t i, int64_t j) const {
  float scale = static_cast<float>(p_.scale * a_.scale_factor);
  const float root = static_cast<float>(std::sqrt(p_.scale * a_.scale_factor));
  std::vector<float> partial(a_.lanes);
  for (int64_t t = 0; t < p_.head_size; ++t) {
    float q = static_cast<float>(c_.Q(b, h, i, t));
    float k = static_cast<float>(c_.K(b, h, j, t));
    if (a_.root_scale) {
      q *= root;
      k *= root;
    }
    float& sum = partial[t % a_.lanes];
    sum = Sum(sum + Sum(Operand(q) * Operand(k)));
  }
  float score = 0;
  for (const float x : partial) score = Sum(score + x);
  if (!a_.root_scale) score *= scale;
  score = static_cast<float>(RoundTo(score, contract_.scores));
  if (p_.softcap > 0) {
    const auto cap = static_cast<float>(p_.softcap);
    score = cap * std::tanh(score / cap);
  }
  score += static_cast<float>(c_.Bias(b, h, i, j));
  return a_.base_two ? score * 1.44269504f : score;
}

void Emulator::AddTile(const std::vector<float>& scores, int64_t first, int64_t last, int64_t b,
                       int64_t h, Part& part) const {
  const float before = part.maximum;
  for (int64_t j = first; j < last; ++j) part.maximum = std::max(part.maximum, scores[j]);
  if (part.maximum == kMasked) return;
  const float rescale = before == kMasked ? 0 : Exp(before - part.maximum);
  part.sum *= rescale;
  for (float& x : part.output) x *= rescale;
  std::vector<float> weights(last - first);
  float tile_sum = 0;
  for (int64_t j = first; j < last; ++j) {
    weights[j - first] = Exp(scores[j] - part.maximum);
    tile_sum = Sum(tile_sum + weights[j - first]);
  }
  part.sum = Sum(part.sum + tile_sum);
  for (int64_t j = first; j < last; ++j) {
    if (scores[j] == kMasked) continue;
    const float w = a_.normalize_first ? weights[j - first] / part.sum : weights[j - first];
    for (int64_t n = 0; n < p_.v_head_size; ++n) {
      const float product = Probability(w) * Operand(c_.V(b, h, j, n));
      part.output[n] = Sum(part.output[n] + Sum(product));
    }
  }
}

Emulator::Part Emulator::Merge(const std::vector<Part>& parts) const {
  Part all = parts[0];
  for (size_t n = 1; n < parts.size(); ++n) {
    const Part& part = parts[n];
    if (part.maximum == kMasked) continue;
    const float maximum = std::max(all.maximum, part.maximum);
    const float mine = all.maximum == kMasked ? 0 : Exp(all.maximum - maximum);
    const float other = Exp(part.maximum - maximum);
    all.sum = all.sum * mine + part.sum * other;
    for (size_t k = 0; k < all.output.size(); ++k) {
      all.output[k] = all.output[k] * mine + part.output[k] * other;
    }
    all.maximum = maximum;
  }
  return all;
}

EmulatedRow Emulator::Run(int64_t b, int64_t h, int64_t i) {
  const int64_t keys = p_.kv_sequence_length - (a_.drop_last_key ? 1 : 0);
  std::vector<float> scores(keys, kMasked);
  for (int64_t j = 0; j < keys; ++j) {
    if (c_.IsVisible(b, h, i, j)) scores[j] = Score(b, h, i, j);
  }
  std::vector<Part> parts;
  const int64_t share = (keys + a_.splits - 1) / a_.splits;
  for (int64_t start = 0; start < keys; start += share) {
    Part& part = parts.emplace_back();
    part.output.resize(p_.v_head_size);
    const int64_t end = std::min(keys, start + share);
    const int64_t tile = std::min(a_.tile, share);
    const int64_t tiles = (end - start + tile - 1) / tile;
    for (int64_t n = 0; n < tiles; ++n) {
      const int64_t first = start + (a_.reversed ? tiles - 1 - n : n) * tile;
      AddTile(scores, first, std::min(end, first + tile), b, h, part);
    }
  }
  const Part all = Merge(parts);
  EmulatedRow row;
  row.output.resize(p_.v_head_size);
  row.weights.resize(p_.kv_sequence_length);
  row.lse = kMasked;
  if (all.maximum == kMasked) return row;
  const int32_t io = FormatOfDtype(p_.dtype);
  const float natural = a_.base_two ? 0.693147181f : 1.0f;
  row.lse = all.maximum * natural + std::log(all.sum);
  for (int64_t j = 0; j < keys; ++j) {
    // The weights as they entered the second product.
    const float weight = Exp(scores[j] - all.maximum);
    row.weights[j] = RoundTo(
        a_.normalize_first ? Probability(weight / all.sum) : Probability(weight) / all.sum, io);
  }
  for (int64_t n = 0; n < p_.v_head_size; ++n) {
    const float x = a_.normalize_first ? all.output[n] : all.output[n] / all.sum;
    row.output[n] = RoundTo(x, io);
  }
  return row;
}

}  // namespace

const std::vector<Algorithm>& HonestAlgorithms() {
  static const std::vector<Algorithm> algorithms = {
      {.name = "two_pass"},
      {.name = "normalized", .normalize_first = true},
      {.name = "one_by_one", .tile = 1},
      {.name = "flash_16", .tile = 16, .lanes = 8},
      {.name = "flash_64", .tile = 64, .lanes = 16},
      {.name = "reversed_16", .tile = 16, .reversed = true},
      {.name = "exp2", .tile = 64, .base_two = true},
      {.name = "split_3", .tile = 16, .splits = 3},
      {.name = "split_7_exp2", .splits = 7, .base_two = true},
      {.name = "root_scale", .root_scale = true}};
  return algorithms;
}

EmulatedRow Emulate(const Case& c, const attest_contract& contract, const Algorithm& algorithm,
                    int64_t b, int64_t h, int64_t i) {
  return Emulator(c, contract, algorithm).Run(b, h, i);
}

}  // namespace attest::reference
