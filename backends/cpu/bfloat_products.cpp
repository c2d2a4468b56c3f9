// SPDX-License-Identifier: Apache-2.0
#include "bfloat_products.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>

#include "amx.h"
#include "attest/backend.hpp"
#include "dot.h"
#include "dot_tile.h"

namespace attest::cpu {
namespace {

#if HWY_TARGET <= HWY_AVX3

constexpr int kChains = 16;  // more than latency x rate of either instruction
constexpr int kSteps = 2000;

void Keep(const Vec (&sums)[kChains]) {
  Vec total = sums[0];
  for (int i = 1; i < kChains; ++i) total = hn::Add(total, sums[i]);
  volatile float sink = hn::GetLane(total);
  static_cast<void>(sink);
}

void MultiplyAdds() {
  Vec sums[kChains];
  for (Vec& sum : sums) sum = hn::Zero(kTag);
  const Vec factor = hn::Set(kTag, 0.5f);
  for (int step = 0; step < kSteps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sums[i] = hn::MulAdd(sums[i], factor, factor);
  Keep(sums);
}

ATTEST_DOT void DotProducts() {
  Vec sums[kChains];
  for (Vec& sum : sums) sum = hn::Zero(kTag);
  const Pair half = 0x3f003f00;  // two bf16 of 0.5
  const __m512bh factor = BroadcastPair(&half);
  for (int step = 0; step < kSteps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sums[i] = DotAdd(sums[i], factor, factor);
  Keep(sums);
}

double Seconds(void (*work)()) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Best of several, taken in turn: somebody else may have the CPU for a while.
bool AreFaster() {
  double dots = 1, multiply_adds = 1;
  for (int round = 0; round < 10; ++round) {
    dots = std::min(dots, Seconds(DotProducts));
    multiply_adds = std::min(multiply_adds, Seconds(MultiplyAdds));
  }
  return dots < 1.5 * multiply_adds;  // an instruction does twice the work
}

#else

constexpr bool HasDotProducts() { return false; }
constexpr bool HasAmx() { return false; }
constexpr bool AreFaster() { return false; }

#endif

BfloatProducts Fastest() {
  if (HasAmx()) return BfloatProducts::kTiles;
  return HasDotProducts() && AreFaster() ? BfloatProducts::kDots : BfloatProducts::kMultiplyAdds;
}

BfloatProducts Wanted(const std::string& wish) {
  const auto require = [&](bool there, const char* what) {
    if (!there)
      throw Unsupported("ATTEST_CPU_BF16=" + wish + ": this CPU, or the level this module is built for, has no " +
                        what + "; unset it for the fastest there is");
  };
  if (wish == "f32") return BfloatProducts::kMultiplyAdds;
  if (wish == "dot") {
    require(HasDotProducts(), "dot products of bf16 (AVX512_BF16)");
    return BfloatProducts::kDots;
  }
  if (wish != "amx") throw Unsupported("ATTEST_CPU_BF16 is f32, dot or amx, not '" + wish + "'");
  require(HasAmx(), "tiles of bf16 (AMX)");
  return BfloatProducts::kTiles;
}

}  // namespace

BfloatProducts ChosenBfloatProducts() {
  static const BfloatProducts chosen = [] {
    const char* wish = std::getenv("ATTEST_CPU_BF16");
    return wish == nullptr || *wish == 0 ? Fastest() : Wanted(wish);
  }();
  return chosen;
}

}  // namespace attest::cpu
