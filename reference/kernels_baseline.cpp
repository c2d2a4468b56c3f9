// SPDX-License-Identifier: Apache-2.0
//
// The oracle's inner loops for every CPU, 2 doubles a vector. Contraction is off by the build, so
// fused multiply-add is not used even where the level has it.
#define ATTEST_KERNEL_LEVEL baseline
#define ATTEST_KERNEL_LANES 2
#include "reference/kernels_inl.h"
