// SPDX-License-Identifier: Apache-2.0
//
// From a tile's rows and head size to the kernel that is compiled for them.
#ifndef ATTEST_BACKENDS_CPU_DISPATCH_H_
#define ATTEST_BACKENDS_CPU_DISPATCH_H_

#include <array>
#include <utility>

#include "simd.h"

namespace attest::cpu {

template <typename Kernels, typename AnyTile, int... kFewer>
void RunFewerRows(const AnyTile& tile, std::integer_sequence<int, kFewer...>) {
  using Kernel = void (*)(const AnyTile&);
  constexpr std::array<Kernel, sizeof...(kFewer)> kernels = {
      &Kernels::template Compute<0, kFewer + 1>...};
  kernels[static_cast<size_t>(tile.rows - 1)](tile);
}

// Kernels::Compute<kDepth, R>(tile) computes R rows; kDepth = 0: of any head size.
template <typename Kernels, typename AnyTile>
void Dispatch(const AnyTile& tile) {
  if (tile.rows < kRows)
    RunFewerRows<Kernels>(tile, std::make_integer_sequence<int, kRows - 1>());
  else if (tile.depth == 64)
    Kernels::template Compute<64, kRows>(tile);
  else if (tile.depth == 128)
    Kernels::template Compute<128, kRows>(tile);
  else
    Kernels::template Compute<0, kRows>(tile);
}

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_DISPATCH_H_
