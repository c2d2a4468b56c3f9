// SPDX-License-Identifier: Apache-2.0
//
// The exp2 of the cpu backend, compiled once for each ISA level.
#ifndef ATTEST_TESTS_BACKENDS_CPU_EXP2_H_
#define ATTEST_TESTS_BACKENDS_CPU_EXP2_H_

#include <cstdint>

// out[i] = 2^in[i]; the same as P has it, to the accuracy of bf16, and with exponents of subnormal
// powers dropped; count % 16 == 0.
using Exp2Function = void (*)(const float* in, int64_t count, float* out);

extern const Exp2Function kExp2V2, kExp2V3, kExp2V4;
extern const Exp2Function kWeightV2, kWeightV3, kWeightV4;
extern const Exp2Function kCoarseV2, kCoarseV3, kCoarseV4;
extern const Exp2Function kDroppedV2, kDroppedV3, kDroppedV4;

#endif  // ATTEST_TESTS_BACKENDS_CPU_EXP2_H_
