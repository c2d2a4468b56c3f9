// SPDX-License-Identifier: Apache-2.0
//
// Numbers in the io types: rounding to nearest even on the way in, exact on the way out. The
// harness's own; backends have theirs.
#ifndef ATTEST_HARNESS_CORE_CONVERT_H_
#define ATTEST_HARNESS_CORE_CONVERT_H_

#include <cstdint>

namespace attest {

uint16_t ToF16(double value);   // IEEE binary16, overflow to infinity
uint16_t ToBf16(double value);  // bfloat16
double FromF16(uint16_t bits);
double FromBf16(uint16_t bits);

// Element `index` of an array of `dtype` (f32, f16, bf16, f64).
void StoreElement(void* data, int32_t dtype, int64_t index, double value);
double LoadElement(const void* data, int32_t dtype, int64_t index);
// By bits, so that no compiler option can hide it.
bool IsNan(double value);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_CONVERT_H_
