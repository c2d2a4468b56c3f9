// SPDX-License-Identifier: Apache-2.0
//
// What really ran, in oneDNN's words, for plan_info.
#ifndef ATTEST_BACKENDS_ONEDNN_IMPLEMENTATION_H_
#define ATTEST_BACKENDS_ONEDNN_IMPLEMENTATION_H_

#include <cstdint>
#include <set>
#include <string>

#include "primitives.h"

namespace attest::onednn {

// The text of a plan in which every primitive is an optimized one begins so.
inline constexpr const char* kOptimized = "optimized primitives";

// "optimized primitives, matmul: brg:avx512_core, softmax: jit:avx512_core", each name once; where
// one is a reference kernel, a thousand times slower, the beginning says that instead. Names the
// conversion where an io type is not multiplied as it is.
std::string ImplementationOf(const std::set<std::string>& matmul,
                             const std::set<std::string>& softmax, DataType product, int32_t dtype);

}  // namespace attest::onednn

#endif  // ATTEST_BACKENDS_ONEDNN_IMPLEMENTATION_H_
