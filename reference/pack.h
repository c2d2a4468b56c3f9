// SPDX-License-Identifier: Apache-2.0
//
// K and V of one batch entry and kv head in double precision, in the order the kernels read them.
#ifndef ATTEST_REFERENCE_PACK_H_
#define ATTEST_REFERENCE_PACK_H_

#include <cstdint>
#include <vector>

#include "attest/abi.h"
#include "reference/kernels.h"

namespace attest::reference {

// Least, greatest and absolute sum of every column of V over some keys.
struct Hull {
  std::vector<double> least;
  std::vector<double> greatest;
  std::vector<double> absolute;
};

class Pack {
 public:
  // Allocates; contents are undefined until every block is loaded.
  Pack(int64_t keys, int64_t head_size, int64_t v_head_size);

  // Reads the keys of one block of kKeyBlock. Different blocks may be loaded by different threads.
  void LoadBlock(const attest_tensor& k, const attest_tensor& v, int64_t b, int64_t kv_head,
                 int64_t block);

  int64_t Keys() const { return keys_; }
  int64_t Blocks() const { return blocks_; }
  int64_t PaddedKeys() const { return blocks_ * kKeyBlock; }
  int64_t Columns() const { return columns_; }  // v_head_size rounded up to kPanel

  const double* KeyBlock(int64_t block) const { return &k_[block * kKeyBlock * head_size_]; }
  const double* ValueBlock(int64_t block) const { return &v_[block * kKeyBlock * columns_]; }
  double Key(int64_t j, int64_t t) const {
    return k_[(j / kPanel) * kPanel * head_size_ + t * kPanel + j % kPanel];
  }
  const double* Value(int64_t j) const { return &v_[j * columns_]; }

  // Whether V of the block has neither NaN nor infinity, so that 0 times it is 0.
  bool IsFinite(int64_t block) const { return finite_[block] != 0; }
  // The hull of the block's columns, [Columns()] each.
  const double* Least(int64_t block) const { return &hull_.least[block * columns_]; }
  const double* Greatest(int64_t block) const { return &hull_.greatest[block * columns_]; }
  const double* Absolute(int64_t block) const { return &hull_.absolute[block * columns_]; }

 private:
  void SummarizeBlock(int64_t block);

  int64_t keys_, head_size_, v_head_size_, columns_, blocks_;
  std::vector<double> k_;  // [panel][head_size][kPanel]
  std::vector<double> v_;  // [key][columns]
  std::vector<uint8_t> finite_;
  Hull hull_;
};

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_PACK_H_
