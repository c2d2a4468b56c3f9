// SPDX-License-Identifier: Apache-2.0
//
// Chooses the SIMD level of the oracle's inner loops. All give the same bits; see kernels.h.
#include "reference/kernels.h"

namespace attest::reference {

KernelLevels AvailableKernels() {
  KernelLevels levels{{&baseline::kKernels, nullptr, nullptr}, 1};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) levels.level[levels.count++] = &avx2::kKernels;
  if (__builtin_cpu_supports("avx512f")) levels.level[levels.count++] = &avx512::kKernels;
#endif
  return levels;
}

const Kernels& SelectKernels() {
  static const KernelLevels levels = AvailableKernels();
  return *levels.level[levels.count - 1];
}

}  // namespace attest::reference
