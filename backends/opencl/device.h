// SPDX-License-Identifier: Apache-2.0
//
// Every OpenCL device of the machine, over all platforms: PoCL's first, then in the loader's order.
#ifndef ATTEST_OPENCL_DEVICE_H_
#define ATTEST_OPENCL_DEVICE_H_

#include <string>
#include <vector>

#include "attest/backend.hpp"
#include "opencl.h"

namespace attest::opencl {

struct FoundDevice {
  cl::Device handle;
  Device description;   // what the host is told
  std::string library;  // platform and driver version, short: what does the work
  uint64_t max_allocation_bytes = 0;
  bool rounds_division = false;  // correctly rounded f32 division can be asked for
  uint32_t compute_units = 1;
  uint64_t max_work_group = 1;
  uint64_t local_bytes = 0;
  bool is_pocl = false;
  int64_t register_floats = 16;  // of a vector register of a CPU device
  bool IsCpu() const { return description.kind == ATTEST_DEVICE_CPU; }
};

// Devices that are available and have a compiler; never empty. Throws attest::Unsupported with what
// the loader and the drivers said where there is none. [setup]
std::vector<FoundDevice> FindDevices();

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_DEVICE_H_
