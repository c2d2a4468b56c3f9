// SPDX-License-Identifier: Apache-2.0
//
// Sharing or copying one tensor. Inputs are read-only on both sides: the host maps them so.
#include "buffer.h"

namespace attest::opencl {

TensorBuffer::TensorBuffer(const cl::Context& context, const cl::CommandQueue& queue,
                           const attest_tensor& tensor, bool is_output, bool may_share)
    : host_(static_cast<char*>(tensor.data) - tensor.margin_before_bytes),
      host_bytes_(tensor.margin_before_bytes + tensor.extent_bytes + tensor.margin_after_bytes) {
  const cl_mem_flags access = is_output ? CL_MEM_READ_WRITE : CL_MEM_READ_ONLY;
  is_shared_ = may_share && reinterpret_cast<uintptr_t>(host_) % kAlignmentBytes == 0;
  if (!is_shared_)
    pad_bytes_ = (kAlignmentBytes - tensor.margin_before_bytes % kAlignmentBytes) % kAlignmentBytes;
  data_bytes_ = pad_bytes_ + tensor.margin_before_bytes;
  size_bytes_ = pad_bytes_ + host_bytes_;
  if (is_shared_) {
    buffer_ = cl::Buffer(context, access | CL_MEM_USE_HOST_PTR, host_bytes_, host_);
    return;
  }
  buffer_ = cl::Buffer(context, access, size_bytes_);
  queue.enqueueWriteBuffer(buffer_, CL_TRUE, pad_bytes_, host_bytes_, host_);
}

void TensorBuffer::Download(const cl::CommandQueue& queue) const {
  if (!is_shared_) {
    queue.enqueueReadBuffer(buffer_, CL_TRUE, pad_bytes_, host_bytes_, host_);
    return;
  }
  // Mapping is what makes a shared buffer's contents the host's, even where nothing moves.
  void* mapped = queue.enqueueMapBuffer(buffer_, CL_TRUE, CL_MAP_READ, 0, host_bytes_);
  queue.enqueueUnmapMemObject(buffer_, mapped);
  queue.finish();
}

}  // namespace attest::opencl
