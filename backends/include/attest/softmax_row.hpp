// SPDX-License-Identifier: Apache-2.0
//
// Row steps of a softmax in f32: softcap, the maximum, and exp of the differences with their sum.
// For backends whose module is built per ISA level: vectors are the compiler's own (GCC and Clang
// vector extensions), one register wide: GCC 12 takes wider ones apart lane by lane, ten times
// slower.
//
// Exp2 is within 1.04e-7 of 2^x, relatively (kExp2RelativeError; over every float of (-126, 0] the
// worst is 1.03e-7 without and 8.0e-8 with fused multiply-add), underflows gradually and reaches 0
// at -151; 2^0 is exactly 1. Arguments are at most 0. 2^r on [-1/2, 1/2] is the minimax polynomial
// of degree 6 (Remez exchange, relative error 1.9e-9).
#ifndef ATTEST_SOFTMAX_ROW_HPP_
#define ATTEST_SOFTMAX_ROW_HPP_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

namespace attest {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
#elif defined(__AVX2__)
inline constexpr int kLanes = 8;
#else
inline constexpr int kLanes = 4;
#endif
inline constexpr double kExp2RelativeError = 1.04e-7;

typedef float Floats __attribute__((vector_size(4 * kLanes)));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes)));

inline Floats Load(const float* from) {
  Floats lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
inline void Store(Floats lanes, float* to) { std::memcpy(to, &lanes, sizeof lanes); }

inline Floats Exp2(Floats x) {
  constexpr float kRound = 0x1.8p23f;  // adding it leaves the nearest integer in the low bits
  constexpr int32_t kRoundBits = 0x4b400000;
  const Floats lowest = Floats{} - 151.0f;
  x = lowest > x ? lowest : x;  // this order keeps a NaN
  const Floats shifted = x + kRound;
  const Ints exponent = reinterpret_cast<Ints>(shifted) - kRoundBits;
  const Floats r = x - (shifted - kRound);
  Floats p = r * 1.53458205e-4f + 1.33999313e-3f;
  p = p * r + 9.61848889e-3f;
  p = p * r + 5.55032877e-2f;
  p = p * r + 2.40226469e-1f;
  p = p * r + 6.93147206e-1f;
  p = p * r + 1.0f;
  // 2^exponent in two factors, as it may lie below the normal numbers.
  const Ints half = exponent >> 1;
  const Ints rest = exponent - half;
  p *= reinterpret_cast<Floats>((half + 127) << 23);
  return p * reinterpret_cast<Floats>((rest + 127) << 23);
}

// The largest of count >= 1 elements.
inline float RowMax(const float* row, int64_t count) {
  float max = row[0];
  int64_t j = 0;
  if (count >= kLanes) {
    Floats lanes = Load(row);
    for (j = kLanes; j + kLanes <= count; j += kLanes) {
      const Floats next = Load(row + j);
      lanes = next > lanes ? next : lanes;
    }
    for (int lane = 0; lane < kLanes; ++lane) max = std::max(max, lanes[lane]);
  }
  for (; j < count; ++j) max = std::max(max, row[j]);
  return max;
}

// Replaces every element by 2^((element - max) * factor), factor >= 0, and returns their sum. The
// difference comes first so that the maximum gives exactly 1.
inline float RowExp2(float* row, int64_t count, float max, float factor) {
  Floats sums{};
  int64_t j = 0;
  for (; j + kLanes <= count; j += kLanes) {
    const Floats p = Exp2((Load(row + j) - max) * factor);
    Store(p, row + j);
    sums += p;
  }
  if (j < count) {
    Floats tail = Floats{} + max;
    std::memcpy(&tail, row + j, (count - j) * sizeof(float));
    tail = Exp2((tail - max) * factor);
    std::memcpy(row + j, &tail, (count - j) * sizeof(float));
    for (int lane = static_cast<int>(count - j); lane < kLanes; ++lane) tail[lane] = 0;
    sums += tail;
  }
  float sum = 0;
  for (int lane = 0; lane < kLanes; ++lane) sum += sums[lane];
  return sum;
}

inline float Exp2(float x) { return Exp2(Floats{} + x)[0]; }

// tanh from exp(-2|x|): its absolute error is under 5 units of 2^-24, relative to 1 and not to the
// result, which is what a softcap can lose (its scores are known to softcap * 2^-21).
inline Floats Tanh(Floats x) {
  constexpr float kMinusTwoLog2E = -2.88539008f;
  const Floats size = x < 0.0f ? -x : x;
  const Floats e = Exp2(size * kMinusTwoLog2E);
  const Floats t = (1.0f - e) / (1.0f + e);
  return x < 0.0f ? -t : t;
}

// Replaces every element by cap tanh(element / cap), cap > 0.
inline void SoftcapRow(float* row, int64_t count, float cap) {
  int64_t j = 0;
  for (; j + kLanes <= count; j += kLanes) Store(Tanh(Load(row + j) / cap) * cap, row + j);
  if (j == count) return;
  Floats tail{};
  std::memcpy(&tail, row + j, (count - j) * sizeof(float));
  tail = Tanh(tail / cap) * cap;
  std::memcpy(row + j, &tail, (count - j) * sizeof(float));
}

inline void ScaleRow(float* row, int64_t count, float factor) {
  for (int64_t j = 0; j < count; ++j) row[j] *= factor;
}

}  // namespace attest

#endif  // ATTEST_SOFTMAX_ROW_HPP_
