// SPDX-License-Identifier: Apache-2.0
//
// Platforms and devices through the ICD loader. A platform that cannot list its devices is left
// out, and its words are kept for the case that nothing else is found.
#include "device.h"

#include <algorithm>
#include <cstdlib>

#include "error.h"

namespace attest::opencl {
namespace {

// OpenCL's strings come padded with spaces and zeros.
std::string Trimmed(std::string text) {
  const auto is_padding = [](char c) { return c == ' ' || c == '\0' || c == '\n'; };
  while (!text.empty() && is_padding(text.back())) text.pop_back();
  while (!text.empty() && is_padding(text.front())) text.erase(text.begin());
  return text;
}

int32_t KindOf(cl_device_type type) {
  if (type & CL_DEVICE_TYPE_CPU) return ATTEST_DEVICE_CPU;
  if (type & CL_DEVICE_TYPE_GPU) return ATTEST_DEVICE_GPU;
  return ATTEST_DEVICE_ACCELERATOR;
}

bool IsPocl(const std::string& platform_name) {
  return platform_name.find("Portable Computing Language") == 0;
}

// What the host's vector registers hold, where the compiler can tell.
int64_t HostRegisterFloats([[maybe_unused]] int64_t otherwise) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return 16;
  return __builtin_cpu_supports("avx2") ? 8 : 4;
#else
  return otherwise;
#endif
}

// PoCL says what it compiles for, Intel's runtime 16 whatever that is.
int64_t RegisterFloats(const cl::Device& device) {
  if (const char* setting = std::getenv("ATTEST_OPENCL_REGISTER_FLOATS")) {
    const std::string floats = setting;
    if (floats != "4" && floats != "8" && floats != "16")
      throw Unsupported("ATTEST_OPENCL_REGISTER_FLOATS is '" + floats +
                        "': set it to 4, 8 or 16, or unset it");
    return std::stoll(floats);
  }
  const int64_t native = device.getInfo<CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT>();
  return std::min(native, HostRegisterFloats(native));
}

FoundDevice Describe(const cl::Platform& platform, const cl::Device& device) {
  FoundDevice found;
  found.handle = device;
  found.description.name = Trimmed(device.getInfo<CL_DEVICE_NAME>());
  const std::string platform_name = Trimmed(platform.getInfo<CL_PLATFORM_NAME>());
  const std::string driver_version = Trimmed(device.getInfo<CL_DRIVER_VERSION>());
  found.library = platform_name + " " + driver_version;
  found.is_pocl = IsPocl(platform_name);
  found.description.driver = platform_name + ", " + Trimmed(device.getInfo<CL_DEVICE_VERSION>()) +
                             ", driver " + driver_version;
  found.description.kind = KindOf(device.getInfo<CL_DEVICE_TYPE>());
  found.description.memory_bytes = device.getInfo<CL_DEVICE_GLOBAL_MEM_SIZE>();
  found.description.extensions = Trimmed(device.getInfo<CL_DEVICE_EXTENSIONS>());
  found.max_allocation_bytes = device.getInfo<CL_DEVICE_MAX_MEM_ALLOC_SIZE>();
  found.compute_units = device.getInfo<CL_DEVICE_MAX_COMPUTE_UNITS>();
  found.max_work_group = device.getInfo<CL_DEVICE_MAX_WORK_GROUP_SIZE>();
  found.register_floats = RegisterFloats(device);
  found.local_bytes = device.getInfo<CL_DEVICE_LOCAL_MEM_SIZE>();
  found.rounds_division =
      (device.getInfo<CL_DEVICE_SINGLE_FP_CONFIG>() & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) != 0;
  return found;
}

// Appends the platform's usable devices; what went wrong is added to `complaints`.
void AddDevices(const cl::Platform& platform, std::vector<FoundDevice>& devices,
                std::string& complaints) {
  std::string name = "a platform";
  try {
    name = Trimmed(platform.getInfo<CL_PLATFORM_NAME>());
    std::vector<cl::Device> handles;
    platform.getDevices(CL_DEVICE_TYPE_ALL, &handles);
    if (handles.empty()) complaints += "; " + name + ": no device";
    for (const cl::Device& handle : handles) {
      const bool usable = handle.getInfo<CL_DEVICE_AVAILABLE>() == CL_TRUE &&
                          handle.getInfo<CL_DEVICE_COMPILER_AVAILABLE>() == CL_TRUE;
      if (usable)
        devices.push_back(Describe(platform, handle));
      else
        complaints += "; " + name + ": a device that is not available or has no compiler";
    }
  } catch (const cl::Error& error) {
    complaints += "; " + name + ": " + error.what() + ": " + CodeName(error.err());
  }
}

std::vector<cl::Platform> FindPlatforms() {
  constexpr const char* kAdvice = "no OpenCL platform: install pocl-opencl-icd or a vendor driver";
  std::vector<cl::Platform> platforms;
  try {
    cl::Platform::get(&platforms);
  } catch (const cl::Error& error) {
    throw Unsupported(std::string(kAdvice) + " (" + error.what() + ": " + CodeName(error.err()) +
                      ")");
  }
  if (platforms.empty()) throw Unsupported(kAdvice);
  return platforms;
}

}  // namespace

std::vector<FoundDevice> FindDevices() {
  std::vector<cl::Platform> platforms = FindPlatforms();
  const auto is_pocl = [](const cl::Platform& platform) {
    try {
      return IsPocl(platform.getInfo<CL_PLATFORM_NAME>());
    } catch (const cl::Error&) {
      return false;
    }
  };
  std::stable_partition(platforms.begin(), platforms.end(), is_pocl);
  std::vector<FoundDevice> devices;
  std::string complaints;
  for (const cl::Platform& platform : platforms) AddDevices(platform, devices, complaints);
  if (devices.empty())
    throw Unsupported("no OpenCL device on " + std::to_string(platforms.size()) +
                      " platform(s); install pocl-opencl-icd or repair the driver" + complaints);
  return devices;
}

}  // namespace attest::opencl
