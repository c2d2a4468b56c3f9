// SPDX-License-Identifier: Apache-2.0
//
// What both variants need around their loops: factors of a problem's scores, and scratch memory
// that is allocated once.
#ifndef ATTEST_BACKENDS_CPU_SHAPE_H_
#define ATTEST_BACKENDS_CPU_SHAPE_H_

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "attest/backend.hpp"
#include "attest/sdpa.hpp"
#include "tile.h"

namespace attest::cpu {

// Whether rows of V and O that end in a part of a vector are copied to whole vectors: in place they
// begin anywhere in a cache line, and each panel reads them, which with 40 columns took 3 to 5 %
// longer from 1024 keys on; with less keys the copies cost more. Without masks: always.
inline constexpr int64_t kCopyKeys = 1024;
bool CopiesParts(const attest_problem& problem);

// Whether kernels can read (write) rows of that tensor where they lie: f32, contiguous, and no row
// ends in a part of a vector that is copied. `scalar`: rows are read one element at a time, which
// asks for no whole vectors.
bool InPlace(const attest_problem& problem, const attest_tensor& tensor, bool scalar);

// Address of element [b, h, i, 0] of a tensor of any io type.
inline char* AddressOf(const attest_tensor& tensor, int64_t bytes, int64_t b, int64_t h,
                       int64_t i) {
  return static_cast<char*>(tensor.data) +
         bytes * (b * tensor.strides[0] + h * tensor.strides[1] + i * tensor.strides[2]);
}

// scale x log2(e), which makes scores exponents of 2 (with softcap: twice the argument of tanh).
double ScoreFactor(const attest_problem& problem);

// What element c of every key is multiplied by when it is packed, [head_size]. The factor in f32
// would be off by up to 2^-25, the same way for every score, and the outputs would lean with it:
// neighbours of the exact factor in turn have the right mean.
std::vector<float> ScoreFactors(const attest_problem& problem);

// Softcap and masks, and whether the problem has any.
ScoreRules RulesOf(const attest_problem& problem, const SdpaTensors& operands);
bool HasRules(const attest_problem& problem);

// One query of one head.
struct Query {
  int64_t b, h, i;
};

// Fills in what one row of a tile sees of the keys from `key` on: begin, end and mask.
void SetKeys(const attest_problem& problem, const SdpaTensors& operands, const Query& query,
             int row, int key, Tile& tile);

// The same for all rows of a tile, which are neighbours; `first` is the first one.
void SetTileKeys(const attest_problem& problem, const SdpaTensors& operands, const Query& first,
                 int key, Tile& tile);

// log of the sum of exp(score): from the sum of P and -m.
float LogSumExp(float sum, float shift);

// Memory on a page's boundary, zeroed so that its pages exist before anything is timed.
class Memory {
 public:
  explicit Memory(uint64_t bytes);
  char* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(char* data) const { std::free(data); }
  };
  std::unique_ptr<char, Free> data_;
};

// Lays out parts of one allocation: sizes first (base = nullptr), addresses afterwards.
class Layout {
 public:
  explicit Layout(char* base) : base_(base) {}
  template <typename T>
  T* Take(int64_t count) {
    constexpr uint64_t kLine = 64;
    T* part = base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + bytes_);
    bytes_ += (static_cast<uint64_t>(count) * sizeof(T) + kLine - 1) / kLine * kLine;
    return part;
  }
  uint64_t bytes() const { return bytes_; }

 private:
  char* base_;
  uint64_t bytes_ = 0;
};

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_SHAPE_H_
