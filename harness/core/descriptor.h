// SPDX-License-Identifier: Apache-2.0
//
// A file descriptor with an owner.
#ifndef ATTEST_HARNESS_CORE_DESCRIPTOR_H_
#define ATTEST_HARNESS_CORE_DESCRIPTOR_H_

#include <utility>

namespace attest {

// Closes what it owns when it ends; -1 is none.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_DESCRIPTOR_H_
