// SPDX-License-Identifier: Apache-2.0
//
// The judge's shared buffers in this process. Each lies between two inaccessible pages, and what
// the judge gave as read-only is mapped so: a write to an input and a step past either end fault.
#ifndef ATTEST_HARNESS_WORKER_BUFFERS_H_
#define ATTEST_HARNESS_WORKER_BUFFERS_H_

#include <map>
#include <span>
#include <vector>

#include "harness/worker/channel.h"
#include "harness/worker/protocol.h"

namespace attest::worker {

// One mapping: [guard page][bytes][guard page].
class MappedBuffer {
 public:
  // Takes a whole number of pages of the descriptor, which may be closed afterwards. Throws
  // std::invalid_argument for a size that does not fit, std::system_error where mmap fails.
  MappedBuffer(const protocol::BufferSpec& spec, int fd);
  MappedBuffer(MappedBuffer&& other) noexcept;
  MappedBuffer& operator=(MappedBuffer&&) = delete;
  ~MappedBuffer();
  std::byte* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }
  bool writable() const { return writable_; }

 private:
  std::byte* data_ = nullptr;
  uint64_t bytes_ = 0;
  bool writable_ = false;
};

class Buffers {
 public:
  // Throws std::invalid_argument for a number in use or another count of descriptors.
  void Attach(std::span<const protocol::BufferSpec> specs, std::span<const Descriptor> descriptors);
  void Detach(std::span<const uint32_t> ids);
  // The described tensors with data, where the binding puts them. Throws std::invalid_argument
  // unless each is placed once, inside its buffer with its margins, outputs in a writable one.
  std::vector<attest_tensor> Place(std::span<const attest_tensor> descriptions,
                                   const protocol::Binding& binding) const;

 private:
  const MappedBuffer& Get(uint32_t id) const;
  attest_tensor PlaceOne(attest_tensor tensor, const protocol::Placement& placement) const;

  std::map<uint32_t, MappedBuffer> buffers_;
};

}  // namespace attest::worker

#endif  // ATTEST_HARNESS_WORKER_BUFFERS_H_
