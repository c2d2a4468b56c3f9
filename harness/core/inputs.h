// SPDX-License-Identifier: Apache-2.0
//
// The values of input tensors: seeded, addressed by position (so the same for any number of
// threads), made of integer arithmetic and exact floating-point steps only, so that every machine
// and standard library gets the same bits, then rounded once to the io type.
#ifndef ATTEST_HARNESS_CORE_INPUTS_H_
#define ATTEST_HARNESS_CORE_INPUTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "attest/abi.h"

namespace attest {

// Data kinds, alphabetical. What each does: inputs.cpp's table; `attest run --help` prints it.
std::vector<std::string> DataKinds();
std::string_view DataKindDescription(std::string_view kind);

// 64 well-mixed bits of (seed, stream, position).
uint64_t HashBits(uint64_t seed, uint64_t stream, uint64_t position);

// Fills tensor.data (the host's memory, strides as described) for its role. `seed` distinguishes
// the alternating sets. Throws std::invalid_argument for an unknown kind.
void FillInput(const attest_problem& problem, const attest_tensor& tensor, std::string_view kind,
               uint64_t seed, unsigned threads);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_INPUTS_H_
