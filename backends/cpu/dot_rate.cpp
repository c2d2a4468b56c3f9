// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>

#include "dot.h"
#include "dot_tile.h"

namespace attest::cpu {

#if HWY_TARGET <= HWY_AVX3

namespace {

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

}  // namespace

bool DotProductsPay() {
  static const bool pay = HasDotProducts() && AreFaster();
  return pay;
}

#else

bool DotProductsPay() { return false; }

#endif

}  // namespace attest::cpu
