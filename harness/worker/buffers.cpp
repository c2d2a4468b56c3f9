// SPDX-License-Identifier: Apache-2.0
//
// Mapping and placing; the layout of a buffer is in PROTOCOL.md.
#include "harness/worker/buffers.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "harness/core/names.h"

namespace attest::worker {
namespace {

uint64_t PageBytes() {
  static const uint64_t bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

[[noreturn]] void Fail(const std::string& call) {
  throw std::system_error(errno, std::generic_category(), call);
}

void CheckSize(const protocol::BufferSpec& spec, int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) Fail(fmt::format("fstat of buffer {}", spec.id));
  const auto has = static_cast<uint64_t>(status.st_size);
  if (spec.bytes == 0 || spec.bytes % PageBytes() != 0 || spec.bytes > has)
    throw std::invalid_argument(fmt::format(
        "buffer {}: {} bytes are not a whole number of pages of its {}", spec.id, spec.bytes, has));
}

}  // namespace

MappedBuffer::MappedBuffer(const protocol::BufferSpec& spec, int fd)
    : bytes_(spec.bytes), writable_(spec.writable) {
  CheckSize(spec, fd);
  const uint64_t guard = PageBytes();
  void* reserved = mmap(nullptr, bytes_ + 2 * guard, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) Fail(fmt::format("mmap of {} bytes", bytes_ + 2 * guard));
  data_ = static_cast<std::byte*>(reserved) + guard;
  // Populated, so that the first timed call pays for no page fault.
  const int protection = writable_ ? PROT_READ | PROT_WRITE : PROT_READ;
  if (mmap(data_, bytes_, protection, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) == MAP_FAILED) {
    const int error = std::exchange(errno, 0);
    munmap(reserved, bytes_ + 2 * guard);
    errno = error;
    Fail(fmt::format("mmap of buffer {}, {} bytes, {}", spec.id, bytes_,
                     writable_ ? "writable" : "read-only"));
  }
}

MappedBuffer::MappedBuffer(MappedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(other.bytes_),
      writable_(other.writable_) {}

MappedBuffer::~MappedBuffer() {
  if (data_ != nullptr) munmap(data_ - PageBytes(), bytes_ + 2 * PageBytes());
}

void Buffers::Attach(std::span<const protocol::BufferSpec> specs,
                     std::span<const Descriptor> descriptors) {
  if (specs.size() != descriptors.size())
    throw std::invalid_argument(
        fmt::format("buffers: {} named, {} descriptors came", specs.size(), descriptors.size()));
  for (size_t i = 0; i < specs.size(); ++i) {
    if (buffers_.count(specs[i].id))
      throw std::invalid_argument(fmt::format("buffers: {} is in use", specs[i].id));
    buffers_.emplace(specs[i].id, MappedBuffer(specs[i], descriptors[i].get()));
  }
}

void Buffers::Detach(std::span<const uint32_t> ids) {
  for (uint32_t id : ids) {
    (void)Get(id);
    buffers_.erase(id);
  }
}

const MappedBuffer& Buffers::Get(uint32_t id) const {
  const auto found = buffers_.find(id);
  if (found == buffers_.end())
    throw std::invalid_argument(fmt::format("buffer {} is not attached", id));
  return found->second;
}

attest_tensor Buffers::PlaceOne(attest_tensor tensor, const protocol::Placement& placement) const {
  const MappedBuffer& buffer = Get(placement.buffer);
  const uint64_t before = placement.margin_before_bytes;
  const uint64_t after = placement.margin_after_bytes;
  const uint64_t offset = placement.offset_bytes;
  // Compared by differences, which cannot overflow.
  if (before > offset || offset > buffer.bytes() || tensor.extent_bytes > buffer.bytes() - offset ||
      after > buffer.bytes() - offset - tensor.extent_bytes)
    throw std::invalid_argument(fmt::format("binding: {} does not fit in buffer {}",
                                            RoleName(tensor.role), placement.buffer));
  if (IsOutput(tensor.role) && !buffer.writable())
    throw std::invalid_argument(fmt::format("binding: {} needs a writable buffer, {} is read-only",
                                            RoleName(tensor.role), placement.buffer));
  tensor.data = buffer.data() + offset;
  tensor.margin_before_bytes = before;
  tensor.margin_after_bytes = after;
  return tensor;
}

std::vector<attest_tensor> Buffers::Place(std::span<const attest_tensor> descriptions,
                                          const protocol::Binding& binding) const {
  if (binding.size() != descriptions.size())
    throw std::invalid_argument(
        fmt::format("binding: {} placements for {} tensors", binding.size(), descriptions.size()));
  std::vector<attest_tensor> tensors;
  for (const attest_tensor& description : descriptions) {
    const auto placement =
        std::find_if(binding.begin(), binding.end(),
                     [&](const protocol::Placement& p) { return p.role == description.role; });
    if (placement == binding.end())
      throw std::invalid_argument(
          fmt::format("binding: no place for {}", RoleName(description.role)));
    tensors.push_back(PlaceOne(description, *placement));
  }
  return tensors;
}

}  // namespace attest::worker
