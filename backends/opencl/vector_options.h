// SPDX-License-Identifier: Apache-2.0
//
// What the variants for CPU devices, flash_vec and decode, have in common on the host's side.
#ifndef ATTEST_OPENCL_VECTOR_OPTIONS_H_
#define ATTEST_OPENCL_VECTOR_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "session.h"

namespace attest::opencl {

inline constexpr int64_t kLanes = 16;          // LANES of vector.cl
inline constexpr int64_t kCounterFloats = 16;  // at the start of the scratch: a cache line

inline int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t RoundUp(int64_t a, int64_t b) { return CeilDivide(a, b) * b; }

// " -DNAME=value"
std::string Define(const char* name, int64_t value);

// Options that every program of sdpa wants.
std::string VectorOptions(const attest_problem& problem);

// The same for a program without sdpa.
inline constexpr const char* kNoSdpaOptions =
    " -DHEAD_SIZE=1 -DV_HEAD_SIZE=1 -DMASK_KIND=0 -DSOFTCAP=0";

// Why a variant built on vector.cl cannot do it, if so.
std::optional<std::string> WhyNotVectors(const Request& request, const Session& session);

// Whether the device's registers are those of AVX-512: 32 of 16 floats.
bool HasWideRegisters(const Session& session);
// What vector.cl wants to know of them.
std::string RegisterOption(const Session& session);

// Work-groups that are at work at the same time, at least one.
int64_t WorkersOf(const Session& session);

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_VECTOR_OPTIONS_H_
