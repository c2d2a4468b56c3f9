// SPDX-License-Identifier: Apache-2.0
//
// The Khronos C++ bindings, with the settings that every file of this backend shares: OpenCL 1.2 is
// enough for a driver, errors are exceptions. (Debian 12's bindings do not compile with a higher
// target and this minimum: getContextPlatformVersion is missing then.)
#ifndef ATTEST_OPENCL_OPENCL_H_
#define ATTEST_OPENCL_OPENCL_H_

#define CL_HPP_ENABLE_EXCEPTIONS
#define CL_HPP_TARGET_OPENCL_VERSION 120
#define CL_HPP_MINIMUM_OPENCL_VERSION 120
#include <CL/opencl.hpp>

#endif  // ATTEST_OPENCL_OPENCL_H_
