// SPDX-License-Identifier: Apache-2.0
#include "shape.h"

#include <cmath>
#include <cstring>
#include <new>
#include <numbers>

#include "attest/sdpa.hpp"
#include "pack.h"

namespace attest::cpu {

bool CopiesParts(const attest_problem& problem) {
  return !kMaskedMemory || problem.kv_sequence_length >= kCopyKeys;
}

bool InPlace(const attest_problem& problem, const attest_tensor& tensor, bool scalar) {
  const bool is_whole = tensor.shape[3] % kLanes == 0;
  return tensor.dtype == ATTEST_F32 && tensor.strides[3] == 1 &&
         (scalar || is_whole || !CopiesParts(problem));
}

double ScoreFactor(const attest_problem& problem) {
  const double factor = problem.scale * std::numbers::log2e;
  return problem.softcap > 0 ? factor * 2 / problem.softcap : factor;
}

std::vector<float> ScoreFactors(const attest_problem& problem) {
  const double exact = ScoreFactor(problem);
  std::vector<float> factors(static_cast<size_t>(problem.head_size));
  const float nearest = static_cast<float>(exact);
  const float low = nearest > exact ? std::nextafter(nearest, kMinusInfinity) : nearest;
  const float high = nearest < exact ? std::nextafter(nearest, -kMinusInfinity) : nearest;
  double excess = 0;  // of the factors so far
  for (float& factor : factors) {
    factor = excess > 0 ? low : high;
    excess += factor - exact;
  }
  return factors;
}

bool HasRules(const attest_problem& problem) {
  return problem.softcap > 0 || problem.attn_mask != ATTEST_MASK_NONE;
}

ScoreRules RulesOf(const attest_problem& problem, const SdpaTensors& operands) {
  return {static_cast<float>(problem.softcap), problem.attn_mask, operands.mask.dtype,
          operands.mask.strides[3]};
}

namespace {

void SetSpan(const KeySpan& keys, int row, int key, Tile& tile) {
  tile.begin[row] = static_cast<int>(keys.begin) - key;
  tile.end[row] = static_cast<int>(keys.end) - key;
}

void SetMask(const attest_tensor& mask, const Query& query, int row, int key, Tile& tile) {
  const int64_t bytes = mask.dtype == ATTEST_BOOL ? 1 : ElementBytes(mask.dtype);
  tile.mask[row] =
      AddressOf(mask, bytes, query.b, query.h, query.i) + bytes * key * mask.strides[3];
}

}  // namespace

void SetKeys(const attest_problem& problem, const SdpaTensors& operands, const Query& query,
             int row, int key, Tile& tile) {
  const int64_t kv_length = KvLength(problem, &operands.lengths, query.b);
  SetSpan(VisibleKeys(problem, kv_length, query.i), row, key, tile);
  if (problem.attn_mask != ATTEST_MASK_NONE) SetMask(operands.mask, query, row, key, tile);
}

void SetTileKeys(const attest_problem& problem, const SdpaTensors& operands, const Query& first,
                 int key, Tile& tile) {
  const int64_t kv_length = KvLength(problem, &operands.lengths, first.b);
  const int rows = tile.rows;
  for (int row = 0; row < rows; ++row)
    SetSpan(VisibleKeys(problem, kv_length, first.i + row), row, key, tile);
  if (problem.attn_mask == ATTEST_MASK_NONE) return;
  for (int row = 0; row < rows; ++row)
    SetMask(operands.mask, {first.b, first.h, first.i + row}, row, key, tile);
}

float LogSumExp(float sum, float shift) {
  if (sum == 0) return kMinusInfinity;
  const double sum_of_powers = static_cast<double>(sum) / static_cast<double>(kUnit);
  return static_cast<float>((std::log2(sum_of_powers) - static_cast<double>(shift)) *
                            std::numbers::ln2);
}

Memory::Memory(uint64_t bytes) {
  constexpr uint64_t kPage = 4096;
  const uint64_t whole = (bytes + kPage - 1) / kPage * kPage;
  if (whole == 0) return;
  data_.reset(static_cast<char*>(std::aligned_alloc(kPage, whole)));
  if (data_ == nullptr) throw std::bad_alloc();
  std::memset(data_.get(), 0, whole);
}

}  // namespace attest::cpu
