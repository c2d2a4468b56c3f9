// SPDX-License-Identifier: Apache-2.0
#include "harness/core/descriptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace attest {
namespace {

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(Descriptor, ClosesWhatItOwns) {
  int fd = -1;
  {
    const Descriptor owner(open("/dev/null", O_RDONLY));
    fd = owner.get();
    EXPECT_TRUE(IsOpen(fd));
    EXPECT_TRUE(static_cast<bool>(owner));
  }
  EXPECT_FALSE(IsOpen(fd));
}

TEST(Descriptor, MovesItsPossession) {
  Descriptor first(open("/dev/null", O_RDONLY));
  const int fd = first.get();
  Descriptor second(std::move(first));
  EXPECT_EQ(second.get(), fd);
  {
    Descriptor third(open("/dev/null", O_RDONLY));
    const int other = third.get();
    third = std::move(second);
    EXPECT_EQ(third.get(), fd);
    EXPECT_EQ(second.get(), other);  // closed when `second` ends
  }
  EXPECT_FALSE(IsOpen(fd));
}

TEST(Descriptor, NoneIsNothing) { EXPECT_FALSE(static_cast<bool>(Descriptor())); }

}  // namespace
}  // namespace attest
