// SPDX-License-Identifier: Apache-2.0
//
// Vectors of this module's instruction set (Highway), the register tile that fits it, and exp2.
//
// Exp2 is within 1.8e-7 of 2^x, relatively, for x in [-126, 127); 2^0 is exactly 1, 2^-inf exactly
// 0, NaN stays NaN. Below -126 it underflows, gradually with AVX-512, else to 0. 2^r
// on [0, 1) is a minimax polynomial of degree 5 (Remez exchange, relative error 8.2e-8; one of
// degree 6 took 0.5 to 1 % of the whole time). CoarseExp2 takes one of degree 4 (2.9e-6), for what
// is rounded to bf16 next, an error of 2e-3; else the same.
#ifndef ATTEST_BACKENDS_CPU_SIMD_H_
#define ATTEST_BACKENDS_CPU_SIMD_H_

#include <cstdint>
#include <limits>

#include <hwy/highway.h>

namespace attest::cpu {

namespace hn = hwy::HWY_NAMESPACE;
using FloatTag = hn::ScalableTag<float>;
using Vec = hn::Vec<FloatTag>;

inline constexpr FloatTag kTag{};
inline constexpr int kLanes = HWY_LANES(float);

// 6 rows x 4 vectors leave 8 of 32 registers for operands; 6 x 2 leave 4 of 16.
inline constexpr int kRows = 6;
inline constexpr int kVectors = kLanes == 16 || HWY_TARGET == HWY_NEON ? 4 : 2;

inline constexpr int kPanelKeys = 64;  // keys whose K and V stay in L1 for a block of queries
inline constexpr int kGroupKeys = kVectors * kLanes;  // keys of one register tile
// A panel of so few keys is not transposed: dot products along the head size cost half of one
// vector of keys, of which most lanes would be empty.
inline constexpr int kFewKeys = HWY_TARGET <= HWY_AVX3 ? 5 : 0;
static_assert(kPanelKeys % kGroupKeys == 0);

// Whether a masked load or store leaves the memory of hidden lanes alone.
inline constexpr bool kMaskedMemory = HWY_MEM_OPS_MIGHT_FAULT == 0;

inline constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
inline constexpr double kExp2RelativeError = 1.8e-7;
inline constexpr double kCoarseExp2RelativeError = 3.2e-6;

// P of a score at its row's shift. Were it 1, products of a small P with V would often be
// subnormal, and sums of them stay so as long as further P are 0: each costs a hundred times a
// normal one. Scores of 100 lost a tenth of the speed by that.
inline constexpr float kUnit = 0x1p24f;

// unit x 2^r on [0, 1).
HWY_INLINE Vec Mantissa(Vec r, float unit) {
  Vec p =
      hn::MulAdd(hn::Set(kTag, unit * 1.867120620e-3f), r, hn::Set(kTag, unit * 9.016990662e-3f));
  p = hn::MulAdd(p, r, hn::Set(kTag, unit * 5.579995364e-2f));
  p = hn::MulAdd(p, r, hn::Set(kTag, unit * 2.401644886e-1f));
  p = hn::MulAdd(p, r, hn::Set(kTag, unit * 6.931512952e-1f));
  return hn::MulAdd(p, r, hn::Set(kTag, unit));
}
HWY_INLINE Vec CoarseMantissa(Vec r, float unit) {
  Vec p = hn::MulAdd(hn::Set(kTag, unit * 1.34266824e-2f), r, hn::Set(kTag, unit * 5.22424720e-2f));
  p = hn::MulAdd(p, r, hn::Set(kTag, unit * 2.41280204e-1f));
  p = hn::MulAdd(p, r, hn::Set(kTag, unit * 6.93044836e-1f));
  return hn::MulAdd(p, r, hn::Set(kTag, unit));
}

template <Vec (*kMantissa)(Vec, float)>
HWY_INLINE Vec PowerOfTwo(Vec x, float unit) {
#if HWY_TARGET <= HWY_AVX3
  const Vec r{_mm512_reduce_ps(x.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
  return Vec{_mm512_scalef_ps(kMantissa(r, unit).raw, x.raw)};
#else
  x = hn::Max(hn::Set(kTag, -127.0f), x);  // this order keeps a NaN on x86
  const Vec floor = hn::Floor(x);
  const Vec p = kMantissa(hn::Sub(x, floor), unit);
  // 2^floor, 0 for -127; as a factor, so that NaN stays.
  const hn::RebindToSigned<FloatTag> integers;
  const auto biased = hn::ConvertTo(integers, hn::Add(floor, hn::Set(kTag, 127.0f)));
  return hn::Mul(p, hn::BitCast(kTag, hn::ShiftLeft<23>(biased)));
#endif
}

HWY_INLINE Vec Exp2(Vec x) { return PowerOfTwo<Mantissa>(x, 1); }

// P of scores minus shifts, kUnit x 2^x.
HWY_INLINE Vec Weight(Vec x) { return PowerOfTwo<Mantissa>(x, kUnit); }
HWY_INLINE Vec CoarseWeight(Vec x) { return PowerOfTwo<CoarseMantissa>(x, kUnit); }

// -inf for exponents of which 2^x would be subnormal. Next to its row's largest such a P is nothing
// (2^-106 of it).
HWY_INLINE Vec DropSmall(Vec x) {
  return hn::IfThenElse(hn::Lt(x, hn::Set(kTag, -126.0f)), hn::Set(kTag, kMinusInfinity), x);
}

inline float Sum(Vec v) { return hn::GetLane(hn::SumOfLanes(kTag, v)); }
inline float Max(Vec v) { return hn::GetLane(hn::MaxOfLanes(kTag, v)); }

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_SIMD_H_
