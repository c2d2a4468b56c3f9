// SPDX-License-Identifier: Apache-2.0
//
// Shared memory for tensors: an anonymous file that another process maps between guard pages of its
// own. Inputs are sealed once written: after that nobody, this process included, can change them.
// Linux only.
#ifndef ATTEST_HARNESS_CORE_BUFFER_H_
#define ATTEST_HARNESS_CORE_BUFFER_H_

#include <cstddef>
#include <cstdint>

#include "harness/core/descriptor.h"

namespace attest {

inline constexpr size_t kPageBytes = 4096;
inline constexpr size_t kAlignmentBytes =
    128;  // of tensor data; OpenCL's CL_DEVICE_MEM_BASE_ADDR_ALIGN
size_t RoundUp(size_t value, size_t unit);

class Buffer {
 public:
  // `bytes` is rounded up to whole pages and zero-filled. Throws std::system_error (ENOMEM and its
  // kin).
  explicit Buffer(size_t bytes);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }

  // Makes the contents final and the mapping read-only. `shareable()` is then read-only, too.
  void Seal();
  // What to send to a worker. Until Seal: read and write, size fixed.
  int shareable() const { return shared_.get() >= 0 ? shared_.get() : file_.get(); }

 private:
  size_t bytes_ = 0;
  std::byte* data_ = nullptr;
  Descriptor file_;
  Descriptor shared_;
};

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_BUFFER_H_
