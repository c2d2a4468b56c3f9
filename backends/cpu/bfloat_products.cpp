// SPDX-License-Identifier: Apache-2.0
#include "bfloat_products.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>

#include "amx.h"
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
constexpr bool AreFaster() { return false; }

#endif

BfloatProducts Fastest() {
  if (HasAmx()) return BfloatProducts::kTiles;
  return HasDotProducts() && AreFaster() ? BfloatProducts::kDots : BfloatProducts::kMultiplyAdds;
}

struct Choice {
  BfloatProducts products = BfloatProducts::kMultiplyAdds;
  std::string why_not;  // "" = as it was asked for
};

Choice Wanted(const std::string& wish) {
  if (wish.empty()) return {Fastest(), ""};
  if (wish == "f32") return {};
  const std::string asked = std::string("ATTEST_CPU_BF16=").append(wish);
  const auto missing = [&](const char* what) -> Choice {
    return {BfloatProducts::kMultiplyAdds,
            asked + ": this CPU, or the level that this module is built for, has no " + what +
                "; unset it for the fastest that is there"};
  };
  if (wish == "dot")
    return HasDotProducts() ? Choice{BfloatProducts::kDots, ""}
                            : missing("dot products of bf16 (AVX512_BF16)");
  if (wish == "amx")
    return HasAmx() ? Choice{BfloatProducts::kTiles, ""} : missing("tiles of bf16 (AMX)");
  return {BfloatProducts::kMultiplyAdds, asked + ": that is none of f32, dot, amx"};
}

const Choice& Chosen() {
  static const Choice choice = [] {
    const char* wish = std::getenv("ATTEST_CPU_BF16");
    return Wanted(wish == nullptr ? "" : wish);
  }();
  return choice;
}

}  // namespace

BfloatProducts ChosenBfloatProducts() { return Chosen().products; }

std::optional<std::string> WhyNoBfloat() {
  if (Chosen().why_not.empty()) return std::nullopt;
  return Chosen().why_not;
}

}  // namespace attest::cpu
