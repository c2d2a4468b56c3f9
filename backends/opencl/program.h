// SPDX-License-Identifier: Apache-2.0
//
// OpenCL programs from the kernel files embedded at build time, with a cache of their binaries on
// disk.
#ifndef ATTEST_OPENCL_PROGRAM_H_
#define ATTEST_OPENCL_PROGRAM_H_

#include <string>
#include <vector>

#include "opencl.h"

namespace attest::opencl {

// Text of a file under backends/opencl, embedded by embed.cmake; the list ends with a null name.
struct KernelFile {
  const char* name;
  const char* text;
};
extern const KernelFile kKernelFiles[];

// 16 hexadecimal digits of a text.
std::string HashOf(const std::string& text);

// Builds the files, pasted one after another, for one device. A binary made before from the same
// text, options, device, driver and CPU is taken from `cache_directory` (empty = no cache); one
// that the driver refuses is made anew. Throws attest::DeviceError with the compiler's log. [setup]
cl::Program BuildProgram(const cl::Context& context, const cl::Device& device,
                         const std::vector<std::string>& files, const std::string& options,
                         const std::string& cache_directory);

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_PROGRAM_H_
