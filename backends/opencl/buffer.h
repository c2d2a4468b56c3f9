// SPDX-License-Identifier: Apache-2.0
//
// A host tensor, margins included, as an OpenCL buffer: the host's own memory on CPU devices where
// its alignment allows (an overrun then meets the host's guard pages), else a copy on the device.
#ifndef ATTEST_OPENCL_BUFFER_H_
#define ATTEST_OPENCL_BUFFER_H_

#include "attest/abi.h"
#include "opencl.h"

namespace attest::opencl {

// Data must start on such a boundary, in the host's memory and in a device's copy (OpenCL's widest
// type, and what drivers ask of CL_MEM_USE_HOST_PTR).
inline constexpr uint64_t kAlignmentBytes = 128;

class TensorBuffer {
 public:
  // Makes the buffer, and uploads where it is a copy. The tensor's memory is the host's and must
  // outlive this object. Throws cl::Error. [setup]
  TensorBuffer(const cl::Context& context, const cl::CommandQueue& queue,
               const attest_tensor& tensor, bool is_output, bool may_share);

  const cl::Buffer& buffer() const { return buffer_; }
  int64_t data_bytes() const {
    return static_cast<int64_t>(data_bytes_);
  }  // from the buffer's start
  uint64_t size_bytes() const { return size_bytes_; }

  // Brings data and margins into the host's memory. Throws cl::Error. [setup]
  void Download(const cl::CommandQueue& queue) const;

 private:
  cl::Buffer buffer_;
  char* host_ = nullptr;     // start of the margin before the data
  uint64_t host_bytes_ = 0;  // margins and data
  uint64_t pad_bytes_ = 0;   // in the buffer, before the margin
  uint64_t data_bytes_ = 0;
  uint64_t size_bytes_ = 0;
  bool is_shared_ = false;
};

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_BUFFER_H_
