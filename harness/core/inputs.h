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
// Whether self_attention has it: those that are made by values of K or V alone it has not.
bool IsLayerKind(std::string_view kind);

// 64 well-mixed bits of (seed, stream, position): two rounds of a 64-bit finaliser (multiply,
// xor-shift), the second keyed by stream and seed. In the header, for the loops it is inlined into.
inline uint64_t HashBits(uint64_t seed, uint64_t stream, uint64_t position) {
  const auto mix = [](uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  };
  return mix(mix(position + 0x9e3779b97f4a7c15 * (stream + 1)) + 0xd1342543de82ef95 * (seed + 1));
}

// Fills tensor.data (the host's memory, strides as described) for its role. `seed` distinguishes
// the alternating sets. Throws std::invalid_argument for an unknown kind.
void FillInput(const attest_problem& problem, const attest_tensor& tensor, std::string_view kind,
               uint64_t seed, unsigned threads);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_INPUTS_H_
