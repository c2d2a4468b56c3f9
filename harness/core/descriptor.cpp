// SPDX-License-Identifier: Apache-2.0
#include "harness/core/descriptor.h"

#include <unistd.h>

namespace attest {

// The old one is closed when `other`, which then holds it, ends.
Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace attest
