// SPDX-License-Identifier: Apache-2.0
//
// Packs K transposed in panels and V in padded rows. Padding is zero and stays so: a later head
// loaded into the same pack has the same sizes.
#include "reference/pack.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "reference/read.h"

namespace attest::reference {

Pack::Pack(int64_t keys, int64_t head_size, int64_t v_head_size)
    : keys_(keys),
      head_size_(head_size),
      v_head_size_(v_head_size),
      columns_((v_head_size + kPanel - 1) / kPanel * kPanel),
      blocks_((keys + kKeyBlock - 1) / kKeyBlock),
      k_(blocks_ * kKeyBlock * head_size),
      v_(blocks_ * kKeyBlock * columns_),
      finite_(blocks_) {
  hull_.least.resize(blocks_ * columns_);
  hull_.greatest.resize(blocks_ * columns_);
  hull_.absolute.resize(blocks_ * columns_);
}

void Pack::LoadBlock(const attest_tensor& k, const attest_tensor& v, int64_t b, int64_t kv_head,
                     int64_t block) {
  const int64_t first = block * kKeyBlock;
  const int64_t last = std::min(first + kKeyBlock, keys_);
  std::array<double, 256> part;
  for (int64_t j = first; j < last; ++j) {
    double* panel = &k_[(j / kPanel) * kPanel * head_size_ + j % kPanel];
    for (int64_t t = 0; t < head_size_; t += std::ssize(part)) {
      const int64_t end = std::min<int64_t>(head_size_, t + std::ssize(part));
      ReadRow(k, b, kv_head, j, t, end, part.data());
      for (int64_t n = t; n < end; ++n) panel[n * kPanel] = part[n - t];
    }
    ReadRow(v, b, kv_head, j, 0, v_head_size_, &v_[j * columns_]);
  }
  SummarizeBlock(block);
}

void Pack::SummarizeBlock(int64_t block) {
  const auto count = std::min(kKeyBlock, keys_ - block * kKeyBlock);
  std::array<int32_t, kKeyBlock> all;
  std::iota(all.begin(), all.end(), 0);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double* absolute = &hull_.absolute[block * columns_];
  double* least = &hull_.least[block * columns_];
  double* greatest = &hull_.greatest[block * columns_];
  std::fill_n(absolute, columns_, 0.0);
  std::fill_n(least, columns_, kInfinity);
  std::fill_n(greatest, columns_, -kInfinity);
  SelectKernels().hull(ValueBlock(block), all.data(), count, columns_, least, greatest, absolute);
  finite_[block] =
      std::all_of(absolute, absolute + columns_, [](double sum) { return std::isfinite(sum); }) ? 1
                                                                                                : 0;
}

}  // namespace attest::reference
