// SPDX-License-Identifier: Apache-2.0
//
// Row steps of a softmax in f32: softcap, the maximum, and exp of the differences with their sum.
// For backends whose module is built per ISA level: vectors are the compiler's own (GCC and Clang
// vector extensions), one register wide: GCC 12 takes wider ones apart lane by lane, ten times
// slower.
//
// Exp2 is within 1.04e-7 of 2^x, relatively (kExp2RelativeError; over every float of (-126, 0] the
// worst is 1.03e-7 without and 8.3e-8 with AVX-512), underflows gradually and reaches 0 at -151;
// 2^0 is exactly 1. Arguments are at most 127. 2^r is a minimax polynomial of degree 6 (Remez
// exchange): on [-1/2, 1/2] of relative error 1.9e-9, on [0, 1), where AVX-512 saves an
// instruction, 2.0e-9.
#ifndef ATTEST_SOFTMAX_ROW_HPP_
#define ATTEST_SOFTMAX_ROW_HPP_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>

#if defined(__AVX512DQ__)
#include <immintrin.h>
#endif

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

// Of degree 6, the highest power's coefficient first.
inline Floats Polynomial(Floats r, const float (&coefficients)[7]) {
  Floats p = Floats{} + coefficients[0];
  for (int i = 1; i < 7; ++i) p = p * r + coefficients[i];
  return p;
}

#if defined(__AVX512DQ__)
// Masked forms with all lanes set: GCC 12 warns about its own header in the others (GCC bug
// 105593).
inline constexpr __mmask16 kAllLanes = 0xffff;

// AVX-512 takes the fraction above floor(x) and applies 2^floor(x) in an instruction each; -inf has
// fraction 0.
inline Floats Exp2(Floats x) {
  constexpr int kDownQuietly = 9;
  const Floats r = reinterpret_cast<Floats>(
      _mm512_maskz_reduce_ps(kAllLanes, reinterpret_cast<__m512>(x), kDownQuietly));
  const Floats p = Polynomial(r, {2.1612915e-4f, 1.24678464e-3f, 9.67545157e-3f, 5.54852806e-2f,
                                  2.40229306e-1f, 6.93147044e-1f, 1.0f});
  return reinterpret_cast<Floats>(
      _mm512_maskz_scalef_ps(kAllLanes, reinterpret_cast<__m512>(p), reinterpret_cast<__m512>(x)));
}

// y where it is larger, else x: what GCC 12 makes of `y > x ? y : x` takes two instructions.
inline Floats Larger(Floats x, Floats y) {
  return reinterpret_cast<Floats>(
      _mm512_maskz_max_ps(kAllLanes, reinterpret_cast<__m512>(y), reinterpret_cast<__m512>(x)));
}

inline bool AnyAbove(Floats lanes, float limit) {
  return _mm512_mask_cmp_ps_mask(kAllLanes, reinterpret_cast<__m512>(lanes),
                                 reinterpret_cast<__m512>(Floats{} + limit), _CMP_GT_OQ) != 0;
}

// The first `count` elements, 0 < count < kLanes, and `rest` in the other lanes.
inline Floats LoadFirst(const float* from, int64_t count, float rest) {
  return reinterpret_cast<Floats>(_mm512_mask_loadu_ps(
      reinterpret_cast<__m512>(Floats{} + rest), static_cast<__mmask16>((1 << count) - 1), from));
}
inline void StoreFirst(Floats lanes, int64_t count, float* to) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1 << count) - 1),
                        reinterpret_cast<__m512>(lanes));
}

// All lanes combined, by halves.
template <typename Combine>
float Fold(Floats lanes, const Combine& combine) {
  const auto with = [&](__m512 other) { return combine(lanes, reinterpret_cast<Floats>(other)); };
  const auto self = [&] { return reinterpret_cast<__m512>(lanes); };
  lanes = with(_mm512_maskz_shuffle_f32x4(kAllLanes, self(), self(), 0x4e));
  lanes = with(_mm512_maskz_shuffle_f32x4(kAllLanes, self(), self(), 0xb1));
  lanes = with(_mm512_maskz_permute_ps(kAllLanes, self(), 0x4e));
  lanes = with(_mm512_maskz_permute_ps(kAllLanes, self(), 0xb1));
  return lanes[0];
}
#else
inline Floats Exp2(Floats x) {
  constexpr float kRound = 0x1.8p23f;  // adding it leaves the nearest integer in the low bits
  constexpr int32_t kRoundBits = 0x4b400000;
  const Floats lowest = Floats{} - 151.0f;
  x = lowest > x ? lowest : x;  // this order keeps a NaN
  const Floats shifted = x + kRound;
  const Ints exponent = reinterpret_cast<Ints>(shifted) - kRoundBits;
  const Floats r = x - (shifted - kRound);
  Floats p = Polynomial(r, {1.53458205e-4f, 1.33999313e-3f, 9.61848889e-3f, 5.55032877e-2f,
                            2.40226469e-1f, 6.93147206e-1f, 1.0f});
  // 2^exponent in two factors, as it may lie below the normal numbers.
  const Ints half = exponent >> 1;
  const Ints rest = exponent - half;
  p *= reinterpret_cast<Floats>((half + 127) << 23);
  return p * reinterpret_cast<Floats>((rest + 127) << 23);
}

inline Floats Larger(Floats x, Floats y) { return y > x ? y : x; }

inline Floats LoadFirst(const float* from, int64_t count, float rest) {
  Floats lanes = Floats{} + rest;
  std::memcpy(&lanes, from, count * sizeof(float));
  return lanes;
}
inline void StoreFirst(Floats lanes, int64_t count, float* to) {
  std::memcpy(to, &lanes, count * sizeof(float));
}

template <typename Combine>
float Fold(Floats lanes, const Combine& combine) {
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int lane = 0; lane < width; ++lane)
      lanes[lane] = combine(Floats{} + lanes[lane], Floats{} + lanes[lane + width])[0];
  return lanes[0];
}

inline bool AnyAbove(Floats lanes, float limit) { return Fold(lanes, Larger) > limit; }
#endif

// 0 in all lanes but the first `count`.
inline Floats KeepFirst(Floats lanes, int64_t count) {
  Ints lane;
  for (int i = 0; i < kLanes; ++i) lane[i] = i;
  return lane < static_cast<int32_t>(count) ? lanes : Floats{};
}

// The largest of count >= 1 elements. A NaN among them may be passed over.
inline float RowMax(const float* row, int64_t count) {
  constexpr int kChains = 4;  // of dependent maxima, to hide their latency
  constexpr float kLeast = -std::numeric_limits<float>::infinity();
  Floats max = Floats{} + kLeast;
  int64_t j = 0;
  if (count >= kChains * kLanes) {
    Floats lanes[kChains];
    for (int chain = 0; chain < kChains; ++chain) lanes[chain] = Load(row + chain * kLanes);
    for (j = kChains * kLanes; j + kChains * kLanes <= count; j += kChains * kLanes)
      for (int chain = 0; chain < kChains; ++chain)
        lanes[chain] = Larger(lanes[chain], Load(row + j + chain * kLanes));
    max = Larger(Larger(lanes[0], lanes[1]), Larger(lanes[2], lanes[3]));
  }
  for (; j + kLanes <= count; j += kLanes) max = Larger(max, Load(row + j));
  if (j < count) max = Larger(max, LoadFirst(row + j, count - j, kLeast));
  return Fold(max, Larger);
}

// Whether a row of that RowMax sees nothing: every element is -inf.
inline bool IsDead(const float* row, int64_t count, float max) {
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  return max == kHidden &&
         std::all_of(row, row + count, [](float score) { return score == kHidden; });
}

// What ExpRow made of the first elements of a row.
struct ExpPart {
  int64_t count;  // how many, from the first on
  float sum;      // of them
};

// Replaces elements by 2^((element - shift) * factor), factor >= 0, and adds them up: as far as the
// exponents stay at or below `most`, in whole vectors. NaN counts as below. The
// difference comes first so that an element that equals the shift gives exactly 1.
inline ExpPart ExpRow(float* row, int64_t count, float shift, float factor, float most) {
  constexpr int kGroup = 4;  // vectors
  const auto finish = [](Floats x, Floats y) { return Fold(x + y, std::plus<Floats>()); };
  Floats sums{}, other_sums{};
  int64_t j = 0;
  for (; j + kGroup * kLanes <= count; j += kGroup * kLanes) {
    Floats x[kGroup];
    for (int i = 0; i < kGroup; ++i) x[i] = (Load(row + j + i * kLanes) - shift) * factor;
    if (AnyAbove(Larger(Larger(x[0], x[1]), Larger(x[2], x[3])), most))
      return {j, finish(sums, other_sums)};
    for (int i = 0; i < kGroup; ++i) {
      x[i] = Exp2(x[i]);
      Store(x[i], row + j + i * kLanes);
    }
    sums += x[0] + x[1];
    other_sums += x[2] + x[3];
  }
  for (; j + kLanes <= count; j += kLanes) {
    Floats x = (Load(row + j) - shift) * factor;
    if (AnyAbove(x, most)) return {j, finish(sums, other_sums)};
    Store(x = Exp2(x), row + j);
    sums += x;
  }
  if (j < count) {
    Floats x = (LoadFirst(row + j, count - j, shift) - shift) * factor;
    if (AnyAbove(x, most)) return {j, finish(sums, other_sums)};
    StoreFirst(x = Exp2(x), count - j, row + j);
    sums += KeepFirst(x, count - j);
  }
  return {count, finish(sums, other_sums)};
}

// The same of a whole row whose RowMax is the shift.
inline float RowExp2(float* row, int64_t count, float max, float factor) {
  return ExpRow(row, count, max, factor, std::numeric_limits<float>::infinity()).sum;
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
  if (j < count) {
    const Floats tail = LoadFirst(row + j, count - j, 0);
    StoreFirst(Tanh(tail / cap) * cap, count - j, row + j);
  }
}

inline void ScaleRow(float* row, int64_t count, float factor) {
  for (int64_t j = 0; j < count; ++j) row[j] *= factor;
}

}  // namespace attest

#endif  // ATTEST_SOFTMAX_ROW_HPP_
