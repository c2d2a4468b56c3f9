// SPDX-License-Identifier: Apache-2.0
//
// The device this process works on, and what its plans have in common.
#ifndef ATTEST_OPENCL_SESSION_H_
#define ATTEST_OPENCL_SESSION_H_

#include <map>
#include <string>
#include <vector>

#include "attest/backend.hpp"
#include "device.h"
#include "opencl.h"

namespace attest::opencl {

// Outlives the plans.
struct Session {
  FoundDevice device;
  cl::Context context;
  cl::CommandQueue queue;  // in order, with profiling
  uint32_t threads = 1;    // that a CPU device computes with
  std::string cache_directory;
  std::map<std::string, std::vector<int64_t>> choices;  // of the tuner, by what they are for
  std::map<std::string, cl::Program> programs;  // built so far in this process, by source, options
};

// A plan that can tell how long its device was at work.
class TimedPlan : public Plan {
 public:
  // Runs once and waits; seconds from the first command's start to the last one's end. [timed]
  virtual double RunTimed() = 0;
  // The same of the latest Run and Sync. [setup]
  virtual double LastSeconds() = 0;
};

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_SESSION_H_
