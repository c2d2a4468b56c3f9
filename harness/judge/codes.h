// SPDX-License-Identifier: Apache-2.0
//
// Vectors among which one is found by a dot product, all others staying behind by a known distance:
// random +-1 codes for many dimensions, points of a grid lifted onto a paraboloid for few. Exact
// integers only.
#ifndef ATTEST_HARNESS_JUDGE_CODES_H_
#define ATTEST_HARNESS_JUDGE_CODES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace attest::judge {

// Codes of +-1, a bit each: a.b = size - 2 Hamming(a, b).
class Codes {
 public:
  Codes(int64_t count, int64_t size, uint64_t seed);
  int Sign(int64_t code, int64_t dimension) const {
    const uint64_t word = words_[static_cast<size_t>(dimension / 64 * count_ + code)];
    return (word >> (dimension % 64)) & 1 ? -1 : 1;
  }
  int64_t Hamming(int64_t a, int64_t b) const;
  // out[n] = weight_a Hamming(a, first + n) + weight_b Hamming(b, first + n), n < count.
  void Distances(int64_t a, int32_t weight_a, int64_t b, int32_t weight_b, int64_t first,
                 int64_t count, int32_t* out) const;

 private:
  int64_t count_, words_each_;
  std::vector<uint64_t> words_;  // [words_each_, count_]
};

// One grid point per key and head. A key x lies at (x, 0, ..., |x|^2), a query at y is A (2 y, 0,
// ..., -1): the score A (|y|^2 - |x - y|^2) is greatest for the nearest key, however few dimensions
// there are. Heads number the points differently.
class Grid {
 public:
  // Where `size` dimensions do not hold `keys` points with |x|^2 <= 256 (8 bits), fits() is false.
  Grid(int64_t keys, int64_t size);
  bool fits() const { return fits_; }
  int64_t axes() const { return axes_; }
  int64_t largest_square() const;  // greatest |x|^2 of the grid
  int64_t Coordinate(int64_t key, int64_t head, int64_t axis) const;
  // The key one step up (step 1) or down (-1) along an axis, or -1 where none lies there.
  int64_t Neighbour(int64_t key, int64_t head, int64_t axis, int64_t step) const;

 private:
  int64_t Point(int64_t key, int64_t head) const;
  int64_t keys_, axes_, side_ = 1, points_ = 1, multiplier_ = 1, inverse_ = 1;
  bool fits_ = false;
};

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_CODES_H_
