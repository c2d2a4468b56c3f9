// SPDX-License-Identifier: Apache-2.0
//
// CUDA devices, device memory that frees itself, and the runtime's errors as Attest's.
#ifndef ATTEST_CUDA_DEVICE_H_
#define ATTEST_CUDA_DEVICE_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "attest/backend.hpp"

namespace attest::cuda {

// Throws OutOfMemory or DeviceError with the call and the runtime's words, unless `status` is
// success.
void Check(cudaError_t status, const char* call);

// Throws Unsupported where there is no driver, one too old, or no device. Prints nothing. [setup]
std::vector<Device> FindDevices();

// Owns device memory; empty by default. Uses the current device.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  explicit DeviceMemory(size_t bytes);  // throws OutOfMemory with bytes needed and free
  DeviceMemory(DeviceMemory&& other) noexcept { *this = std::move(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~DeviceMemory() { cudaFree(data_); }
  char* data() const { return static_cast<char*>(data_); }
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace attest::cuda

#endif  // ATTEST_CUDA_DEVICE_H_
