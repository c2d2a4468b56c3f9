// SPDX-License-Identifier: Apache-2.0
//
// The plan behind every sdpa variant: binds the tensors to its kernels and enqueues them in order.
// A variant is a recipe: which kernels, over which ranges, with how much scratch.
#ifndef ATTEST_OPENCL_SDPA_PLAN_H_
#define ATTEST_OPENCL_SDPA_PLAN_H_

#include <memory>
#include <string>
#include <vector>

#include "session.h"

namespace attest::opencl {

// Arguments that every kernel begins with: the shape, the eight tensors in the order of
// sdpa_plan.cpp, the scratch. A variant sets those that follow.
inline constexpr cl_uint kFirstOwnArgument = 10;

struct Launch {
  cl::Kernel kernel;
  cl::NDRange global, local;
};

struct Recipe {
  std::vector<Launch> launches;
  uint64_t scratch_bytes = 0;  // zero before the first launch, the kernels' own from then on
  std::string implementation;
};

// "-DIO_F32", "-DIO_F16" or "-DIO_BF16".
std::string IoOption(int32_t dtype);

// The program of these files, built once a process. Throws DeviceError with the build log. [setup]
const cl::Program& ProgramOf(Session& session, const std::vector<std::string>& files,
                             const std::string& options);

// Bytes of a buffer that a problem needs beyond `scratch_bytes` and the tensors.
uint64_t PlanBytes(uint64_t scratch_bytes);

// Allocates, and runs the kernels once with nothing to do. The session is borrowed. Throws
// DeviceError, OutOfMemory. [setup]
std::unique_ptr<TimedPlan> MakeSdpaPlan(const Request& request, Session& session, Recipe recipe);

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_SDPA_PLAN_H_
