// SPDX-License-Identifier: Apache-2.0
//
// opencl:naive: the host's side of naive.cl.
#ifndef ATTEST_OPENCL_NAIVE_H_
#define ATTEST_OPENCL_NAIVE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "attest/backend.hpp"
#include "device.h"
#include "opencl.h"

namespace attest::opencl {

// The device this process works on. Outlives the plans.
struct Session {
  FoundDevice device;
  cl::Context context;
  cl::CommandQueue queue;  // in order, with profiling
  std::string cache_directory;
  std::map<std::string, cl::Program> programs;  // built so far in this process, by options
};

// A plan that can tell how long its device was at work.
class TimedPlan : public Plan {
 public:
  // Runs once and waits; seconds from the first command's start to the last one's end. [timed]
  virtual double RunTimed() = 0;
};

// Bytes of device memory beyond the tensors.
uint64_t NaiveScratchBytes(const attest_problem& problem);

// Compiles and allocates. The session is borrowed. Throws DeviceError, OutOfMemory. [setup]
std::unique_ptr<TimedPlan> MakeNaivePlan(const Request& request, Session& session);

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_NAIVE_H_
