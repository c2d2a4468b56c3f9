// SPDX-License-Identifier: Apache-2.0
#ifndef ATTEST_BACKENDS_CPU_BFLOAT_PRODUCTS_H_
#define ATTEST_BACKENDS_CPU_BFLOAT_PRODUCTS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "attest/abi.h"

namespace attest::cpu {

// What multiplies bf16; sums are f32 in each.
enum class BfloatProducts {
  kMultiplyAdds,  // of f32, after conversion
  kDots,          // vectors of pairs, AVX512_BF16 (dot.h)
  kTiles,         // AMX (amx.h)
};

// What a plan's name adds for each.
constexpr const char* NameOf(BfloatProducts products) {
  if (products == BfloatProducts::kTiles) return ", AMX tiles of bf16";
  return products == BfloatProducts::kDots ? ", dot products of bf16" : "";
}

// The fastest that this module and the CPU have, or what the environment variable ATTEST_CPU_BF16
// asks for: f32, dot or amx. Some CPUs issue dot products at a quarter of the rate of
// multiply-adds: that is measured once, in about 0.2 ms.
BfloatProducts ChosenBfloatProducts();

// Why bf16 is not computed: what was asked for is not there.
std::optional<std::string> WhyNoBfloat();

// What multiplies tensors of that io type: bf16 has a choice.
inline BfloatProducts ProductsOf(int32_t dtype) {
  return dtype == ATTEST_BF16 ? ChosenBfloatProducts() : BfloatProducts::kMultiplyAdds;
}

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_BFLOAT_PRODUCTS_H_
