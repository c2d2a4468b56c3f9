// SPDX-License-Identifier: Apache-2.0
//
// Runs a kernel whose work-items all write one word, for a race detector to find. Exit code 0 where
// it ran.
#define CL_HPP_ENABLE_EXCEPTIONS
#define CL_HPP_TARGET_OPENCL_VERSION 120
#define CL_HPP_MINIMUM_OPENCL_VERSION 120
#include <CL/opencl.hpp>
#include <iostream>

int main() {
  try {
    std::vector<cl::Platform> platforms;
    cl::Platform::get(&platforms);
    std::vector<cl::Device> devices;
    platforms.at(0).getDevices(CL_DEVICE_TYPE_ALL, &devices);
    const cl::Context context(devices.at(0));
    const cl::CommandQueue queue(context, devices.at(0));
    cl::Program program(context,
                        "__kernel void Race(__global int* x) { x[0] = get_global_id(0); }");
    program.build();
    cl::Kernel kernel(program, "Race");
    const cl::Buffer word(context, CL_MEM_READ_WRITE, sizeof(cl_int));
    kernel.setArg(0, word);
    queue.enqueueNDRangeKernel(kernel, cl::NullRange, cl::NDRange(8), cl::NDRange(4));
    queue.finish();
    return 0;
  } catch (const cl::Error& error) {
    std::cerr << error.what() << ": " << error.err() << "\n";
    return 1;
  }
}
