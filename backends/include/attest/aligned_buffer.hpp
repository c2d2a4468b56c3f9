// SPDX-License-Identifier: Apache-2.0
//
// Scratch memory of a host backend: on a cache line's boundary, zeroed, so that its pages exist
// before anything is timed.
#ifndef ATTEST_ALIGNED_BUFFER_HPP_
#define ATTEST_ALIGNED_BUFFER_HPP_

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace attest {

// `count` elements of a type without constructor; none where count is 0.
template <typename T>
class AlignedBuffer {
 public:
  explicit AlignedBuffer(int64_t count) {
    const size_t bytes = (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64;
    if (bytes == 0) return;
    data_.reset(static_cast<T*>(std::aligned_alloc(64, bytes)));
    if (data_ == nullptr) throw std::bad_alloc();
    std::memset(static_cast<void*>(data_.get()), 0, bytes);
  }
  T* data() { return data_.get(); }

 private:
  struct Free {
    void operator()(T* data) const { std::free(data); }
  };
  std::unique_ptr<T[], Free> data_;
};

}  // namespace attest

#endif  // ATTEST_ALIGNED_BUFFER_HPP_
