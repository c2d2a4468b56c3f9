// SPDX-License-Identifier: Apache-2.0
//
// K^T of a step in f32, as the first product of onednn:flash reads it: panels of keys one behind
// the other where oneDNN has a kernel for them, else one matrix. oneDNN copies a transposed K at
// every call, so K is transposed once a step, by us: its reorder takes three times as long. Beside
// one matrix, panels serve a step and every part of it: on a Xeon with AVX-512, d = 64, 64 x 64
// takes 13 % less time, 100 x 197 takes 7 % less, 128 x 512 1 %.
#ifndef ATTEST_BACKENDS_ONEDNN_KEY_PANELS_H_
#define ATTEST_BACKENDS_ONEDNN_KEY_PANELS_H_

#include <algorithm>
#include <cstdint>

#include "attest/aligned_buffer.hpp"
#include "primitives.h"
#include "transpose.h"

namespace attest::onednn {

// Panels of `keys` keys, each [rows, stride].
struct PanelLayout {
  int64_t keys;
  int64_t stride;
  int64_t rows;

  // As MatmulChoice::ByPanels reads them.
  static PanelLayout Panels(int64_t head_size) {
    return {kPanelCols, kPanelCols,
            (head_size + kPanelRowStep - 1) / kPanelRowStep * kPanelRowStep};
  }
  // Between rows one cache line more than a power of two, which would keep all rows in a few sets
  // of the cache.
  static PanelLayout OneMatrix(int64_t head_size, int64_t most_keys) {
    return {most_keys, most_keys + 16, head_size};
  }

  bool in_panels() const { return stride == keys; }  // one matrix has a wider stride

  int64_t Elements(int64_t most_keys) const {
    return (most_keys + keys - 1) / keys * rows * stride;
  }
};

// For one thread.
class KeyPanels {
 public:
  KeyPanels(PanelLayout layout, int64_t head_size, int64_t most_keys)
      : layout_(layout), head_size_(head_size), elements_(layout.Elements(most_keys)) {}

  // Takes `count` rows of K; returns what the product reads, valid until the next call.
  const float* Take(const float* k, int64_t k_stride, int64_t count) {
    float* panel = elements_.data();
    for (int64_t first = 0; first < count; first += layout_.keys) {
      const int64_t keys = std::min(layout_.keys, count - first);
      Transpose(k + first * k_stride, k_stride, keys, head_size_, panel, layout_.stride);
      if (layout_.in_panels()) ClearFrom(keys, panel);
      panel += layout_.rows * layout_.stride;
    }
    return elements_.data();
  }

  // Where the key with that number is, a multiple of kPanelCols, in what Take returned.
  int64_t OffsetOf(int64_t key) const { return layout_.in_panels() ? layout_.Elements(key) : key; }

 private:
  // oneDNN wants zeros where a panel is wider than the matrix.
  void ClearFrom(int64_t keys, float* panel) const {
    if (keys == layout_.keys) return;
    for (int64_t row = 0; row < head_size_; ++row)
      std::fill(panel + row * layout_.stride + keys, panel + (row + 1) * layout_.stride, 0.0f);
  }

  PanelLayout layout_;
  int64_t head_size_;
  AlignedBuffer<float> elements_;
};

}  // namespace attest::onednn

#endif  // ATTEST_BACKENDS_ONEDNN_KEY_PANELS_H_
