// SPDX-License-Identifier: Apache-2.0
//
// OpenCL's errors as Attest's: the call that failed, the code's name, and what it means for the
// host.
#ifndef ATTEST_OPENCL_ERROR_H_
#define ATTEST_OPENCL_ERROR_H_

#include <string>
#include <utility>

#include "opencl.h"

namespace attest::opencl {

// "CL_OUT_OF_RESOURCES (-5)"
std::string CodeName(cl_int code);

// Throws attest::OutOfMemory where the code says so, else attest::DeviceError: "clBuildProgram:
// CL_BUILD_PROGRAM_FAILURE (-11)" and what was being done.
[[noreturn]] void Fail(const cl::Error& error, const std::string& while_doing);

// Runs `body`; a cl::Error leaves as one of Attest's.
template <typename Body>
decltype(auto) Checked(const char* while_doing, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const cl::Error& error) {
    Fail(error, while_doing);
  }
}

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_ERROR_H_
