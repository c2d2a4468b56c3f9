// SPDX-License-Identifier: Apache-2.0
//
// ATTEST_LEVEL is the suffix of the level this file is compiled for. Everything of Highway is
// inlined, so that the levels share no symbol.
#include "cpu_exp2.h"

#include "backends/cpu/simd.h"

#define ATTEST_PASTE(a, b) a##b
#define ATTEST_NAME(a, b) ATTEST_PASTE(a, b)

namespace {

namespace cpu = attest::cpu;

template <cpu::Vec (*kExp2)(cpu::Vec)>
void Exp2(const float* in, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += cpu::kLanes)
    cpu::hn::StoreU(kExp2(cpu::hn::LoadU(cpu::kTag, in + i)), cpu::kTag, out + i);
}

// P without its unit: a power of two, so that dividing by it rounds no normal number.
template <cpu::Vec (*kWeight)(cpu::Vec)>
cpu::Vec WithoutUnit(cpu::Vec x) {
  return cpu::hn::Mul(kWeight(x), cpu::hn::Set(cpu::kTag, 1 / cpu::kUnit));
}

cpu::Vec Dropped(cpu::Vec x) { return WithoutUnit<cpu::Weight>(cpu::DropSmall(x)); }

}  // namespace

const Exp2Function ATTEST_NAME(kExp2, ATTEST_LEVEL) = &Exp2<cpu::Exp2>;
const Exp2Function ATTEST_NAME(kWeight, ATTEST_LEVEL) = &Exp2<WithoutUnit<cpu::Weight>>;
const Exp2Function ATTEST_NAME(kCoarse, ATTEST_LEVEL) = &Exp2<WithoutUnit<cpu::CoarseWeight>>;
const Exp2Function ATTEST_NAME(kDropped, ATTEST_LEVEL) = &Exp2<Dropped>;
