// SPDX-License-Identifier: Apache-2.0
//
// The static runtime answers without a driver: its driver version is then 0.
#include "device.h"

namespace attest::cuda {
namespace {

std::string VersionText(int version) {  // 13020 is 13.2
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

Device Describe(int index, int driver_version) {
  cudaDeviceProp properties{};
  Check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  const std::string driver = "CUDA driver " + VersionText(driver_version) + ", runtime " +
                             VersionText(CUDART_VERSION) + ", compute capability " +
                             std::to_string(properties.major) + "." +
                             std::to_string(properties.minor);
  return {properties.name, driver, ATTEST_DEVICE_GPU, properties.totalGlobalMem};
}

}  // namespace

void Check(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // so that the next call does not report this one
  const std::string text =
      std::string(call) + ": " + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ")";
  if (status == cudaErrorMemoryAllocation) throw OutOfMemory(text);
  throw DeviceError(text);
}

std::vector<Device> FindDevices() {
  int driver_version = 0;
  if (cudaDriverGetVersion(&driver_version) != cudaSuccess || driver_version == 0)
    throw Unsupported("no CUDA driver: for an NVIDIA GPU, install its driver");
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver)
    throw Unsupported("the CUDA driver " + VersionText(driver_version) + " is older than runtime " +
                      VersionText(CUDART_VERSION) +
                      ": update the driver, or build with an older toolkit");
  if (status != cudaSuccess || count == 0)
    throw Unsupported(std::string("no CUDA device: ") + cudaGetErrorString(status));
  std::vector<Device> devices;
  for (int i = 0; i < count; ++i) devices.push_back(Describe(i, driver_version));
  return devices;
}

DeviceMemory::DeviceMemory(size_t bytes) : bytes_(bytes) {
  if (cudaMalloc(&data_, bytes) == cudaSuccess) return;
  (void)cudaGetLastError();
  size_t free_bytes = 0, total_bytes = 0;
  Check(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo");
  throw OutOfMemory("cudaMalloc: " + std::to_string(bytes) + " bytes of device memory needed, " +
                    std::to_string(free_bytes) + " free");
}

}  // namespace attest::cuda
