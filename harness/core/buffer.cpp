// SPDX-License-Identifier: Apache-2.0
#include "harness/core/buffer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>
#include <thread>

#include "harness/core/memory.h"

namespace attest {
namespace {

constexpr size_t kSmallBytes = 1 << 20;

[[noreturn]] void Fail(const char* call, size_t bytes) {
  throw std::system_error(
      errno, std::generic_category(),
      std::string(call) + " for a shared buffer of " + std::to_string(bytes) + " bytes");
}

}  // namespace

size_t RoundUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

Buffer::Buffer(size_t bytes) : bytes_(RoundUp(bytes, kPageBytes)) {
  // Asked first: the kernel would hand out every page of the machine before it said no. Not for
  // what is small: asking takes as long as reserving it.
  if (bytes_ > kSmallBytes) {
    const double available = AvailableMemoryBytes();
    if (available > 0 && static_cast<double>(bytes_) > available)
      errno = ENOMEM, Fail("reserving memory", bytes_);
  }
  file_ = Descriptor(memfd_create("attest-tensor", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (file_.get() < 0) Fail("memfd_create", bytes_);
  // fallocate, not ftruncate: memory that is not there must fail here, not as SIGBUS at a later
  // write.
  const int error = posix_fallocate(file_.get(), 0, static_cast<off_t>(bytes_));
  if (error != 0) errno = error, Fail("posix_fallocate", bytes_);
  void* mapping = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  if (mapping == MAP_FAILED) Fail("mmap", bytes_);
  data_ = static_cast<std::byte*>(mapping);
  // A worker that could shrink the file would kill whoever reads the pages behind its new end.
  if (fcntl(file_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
    Fail("F_ADD_SEALS", bytes_);
}

Buffer::Buffer(Buffer&& other) noexcept
    : bytes_(other.bytes_),
      data_(std::exchange(other.data_, nullptr)),
      file_(std::move(other.file_)),
      shared_(std::move(other.shared_)) {}

namespace {

// The kernel refuses with EBUSY while somebody holds a page, as its own daemons (compaction, DAMON)
// do for moments: tries for a second. With false, errno says why.
bool AddSeals(int file, int seals) {
  constexpr int kTries = 100;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    if (fcntl(file, F_ADD_SEALS, seals) == 0) return true;
    if (errno != EBUSY) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace

Buffer::~Buffer() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

void Buffer::Seal() {
  // The write seal is refused while a writable shared mapping exists: drop ours, seal, map again. A
  // private mapping, since kernels before 6.7 refuse shared ones of a write-sealed file.
  munmap(std::exchange(data_, nullptr), bytes_);
  if (!AddSeals(file_.get(), F_SEAL_WRITE | F_SEAL_SEAL)) Fail("F_SEAL_WRITE", bytes_);
  void* mapping = mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, file_.get(), 0);
  if (mapping == MAP_FAILED) Fail("mmap", bytes_);
  data_ = static_cast<std::byte*>(mapping);
  const std::string path = "/proc/self/fd/" + std::to_string(file_.get());
  shared_ = Descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (shared_.get() < 0) Fail("open read-only", bytes_);
}

}  // namespace attest
