// SPDX-License-Identifier: Apache-2.0
//
// The oracle's inner loops for x86 CPUs with AVX2, 4 doubles a vector. Contraction is off by the
// build, so fused multiply-add is not used even where the level has it.
#if defined(__x86_64__)
#pragma GCC target("avx2")
#define ATTEST_KERNEL_LEVEL avx2
#define ATTEST_KERNEL_LANES 4
#include "reference/kernels_inl.h"
#endif
