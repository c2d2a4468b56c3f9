// SPDX-License-Identifier: Apache-2.0
//
// Shared memory keeps its promises against a process that tries to break them.
#include "harness/core/buffer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace attest {
namespace {

TEST(Buffer, IsWholePagesOfZeros) {
  const Buffer buffer(5000);
  ASSERT_EQ(buffer.bytes(), 2 * kPageBytes);
  for (size_t i = 0; i < buffer.bytes(); ++i) ASSERT_EQ(buffer.data()[i], std::byte{0});
}

TEST(Buffer, OtherMappingsSeeWhatIsWritten) {
  Buffer buffer(kPageBytes);
  void* other =
      mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, buffer.shareable(), 0);
  ASSERT_NE(other, MAP_FAILED);
  buffer.data()[7] = std::byte{42};
  EXPECT_EQ(static_cast<std::byte*>(other)[7], std::byte{42});
  static_cast<std::byte*>(other)[8] = std::byte{43};
  EXPECT_EQ(buffer.data()[8], std::byte{43});
  munmap(other, kPageBytes);
}

TEST(Buffer, NeverChangesItsSize) {
  Buffer buffer(kPageBytes);
  for (const bool sealed : {false, true}) {
    if (sealed) buffer.Seal();
    for (const off_t size : {0, 2 * static_cast<int>(kPageBytes)}) {
      EXPECT_EQ(ftruncate(buffer.shareable(), size), -1) << sealed << " " << size;
    }
  }
}

TEST(Buffer, SealedContentsStayAndCannotBeWritten) {
  Buffer buffer(kPageBytes);
  std::memset(buffer.data(), 0x5a, buffer.bytes());
  buffer.Seal();
  EXPECT_EQ(buffer.data()[100], std::byte{0x5a});
  const char byte = 1;
  EXPECT_EQ(pwrite(buffer.shareable(), &byte, 1, 0), -1);
  EXPECT_EQ(fcntl(buffer.shareable(), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, buffer.shareable(), 0),
            MAP_FAILED);
  // Opening it anew for writing is possible by its permissions, but the seal holds.
  const std::string path = "/proc/self/fd/" + std::to_string(buffer.shareable());
  const Descriptor again(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (again.get() >= 0) {
    EXPECT_EQ(pwrite(again.get(), &byte, 1, 0), -1);
    EXPECT_EQ(errno, EPERM);
  }
  void* reader = mmap(nullptr, kPageBytes, PROT_READ, MAP_PRIVATE, buffer.shareable(), 0);
  ASSERT_NE(reader, MAP_FAILED);
  EXPECT_EQ(static_cast<std::byte*>(reader)[100], std::byte{0x5a});
  munmap(reader, kPageBytes);
}

TEST(BufferDeathTest, WritingToASealedOneEndsTheProcess) {
  Buffer buffer(kPageBytes);
  buffer.Seal();
  EXPECT_EXIT(buffer.data()[0] = std::byte{1}, testing::KilledBySignal(SIGSEGV), "");
}

TEST(Buffer, MovesWithItsMemory) {
  Buffer first(kPageBytes);
  std::byte* data = first.data();
  Buffer second(std::move(first));
  EXPECT_EQ(second.data(), data);
  second.data()[0] = std::byte{1};
}

// A size that no file can have, not one that is merely too large: the system would hand out all the
// memory there is before it refuses that.
TEST(Buffer, SaysHowManyBytesItCouldNotGet) {
  try {
    Buffer buffer(size_t{1} << 63);
    FAIL() << "half of the address space was there";
  } catch (const std::system_error& error) {
    EXPECT_NE(std::string(error.what()).find("9223372036854775808 bytes"), std::string::npos);
  }
}

TEST(Descriptor, IsClosedOnce) {
  int fd = -1;
  {
    Descriptor first(memfd_create("test", MFD_CLOEXEC));
    fd = first.get();
    Descriptor second(std::move(first));
    EXPECT_EQ(first.get(), -1);
    EXPECT_EQ(second.get(), fd);
    EXPECT_NE(fcntl(fd, F_GETFD), -1);
  }
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

TEST(RoundUp, GoesToTheNextMultiple) {
  EXPECT_EQ(RoundUp(0, 128), 0U);
  EXPECT_EQ(RoundUp(1, 128), 128U);
  EXPECT_EQ(RoundUp(128, 128), 128U);
  EXPECT_EQ(RoundUp(129, 128), 256U);
}

}  // namespace
}  // namespace attest
