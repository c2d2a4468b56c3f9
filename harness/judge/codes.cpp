// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/codes.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "harness/core/inputs.h"

// One copy for processors that count bits in an instruction, and one for those that do it in eight
// lanes at once; the loader picks.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ATTEST_BIT_COUNTING \
  __attribute__((target_clones("default", "popcnt", "arch=icelake-server")))
#else
#define ATTEST_BIT_COUNTING
#endif

namespace attest::judge {
namespace {

constexpr int64_t kMostAxes = 8;
constexpr int64_t kMostSquare = 256;  // bfloat16 holds every integer up to here

// out[n] += weight * Hamming(code, words[n])
ATTEST_BIT_COUNTING
void AddDistances(const uint64_t* __restrict words, uint64_t code, int32_t weight, int64_t count,
                  int32_t* __restrict out) {
  for (int64_t n = 0; n < count; ++n)
    out[n] += weight * static_cast<int32_t>(std::popcount(words[n] ^ code));
}

int64_t Centre(int64_t side) { return side / 2; }

}  // namespace

Codes::Codes(int64_t count, int64_t size, uint64_t seed)
    : count_(count), words_each_((size + 63) / 64) {
  words_.resize(static_cast<size_t>(count_ * words_each_));
  for (size_t at = 0; at < words_.size(); ++at) words_[at] = HashBits(seed, 101, at);
  if (size % 64 == 0) return;
  const uint64_t used = (uint64_t{1} << (size % 64)) - 1;
  for (int64_t code = 0; code < count_; ++code)
    words_[static_cast<size_t>((words_each_ - 1) * count_ + code)] &= used;
}

int64_t Codes::Hamming(int64_t a, int64_t b) const {
  int32_t distance = 0;
  Distances(a, 1, a, 0, b, 1, &distance);
  return distance;
}

void Codes::Distances(int64_t a, int32_t weight_a, int64_t b, int32_t weight_b, int64_t first,
                      int64_t count, int32_t* out) const {
  std::fill(out, out + count, 0);
  for (int64_t word = 0; word < words_each_; ++word) {
    const uint64_t* words = words_.data() + word * count_;
    AddDistances(words + first, words[a], weight_a, count, out);
    if (weight_b != 0) AddDistances(words + first, words[b], weight_b, count, out);
  }
}

Grid::Grid(int64_t keys, int64_t size) : keys_(keys), axes_(std::min(size - 1, kMostAxes)) {
  while (axes_ > 0 && points_ < keys && largest_square() <= kMostSquare) {
    ++side_;
    points_ = 1;
    for (int64_t axis = 0; axis < axes_; ++axis) points_ *= side_;
  }
  fits_ = points_ >= keys && largest_square() <= kMostSquare;
  if (!fits_) return;
  // Consecutive keys far apart: an odd stride of about 0.38 of the points.
  multiplier_ = std::max<int64_t>(1, points_ * 3 / 8);
  while (std::gcd(multiplier_, points_) != 1) ++multiplier_;
  // Euler's theorem without the factorisation: multiply until the cycle closes.
  for (int64_t power = multiplier_ % points_; power != 1 % points_;
       power = power * multiplier_ % points_)
    inverse_ = power;
}

int64_t Grid::largest_square() const {
  return side_ == 1 ? 0 : axes_ * Centre(side_) * Centre(side_);
}

int64_t Grid::Point(int64_t key, int64_t head) const {
  const auto offset = static_cast<int64_t>(HashBits(7, 102, static_cast<uint64_t>(head)) >> 2);
  return (key * multiplier_ + offset % points_) % points_;
}

int64_t Grid::Coordinate(int64_t key, int64_t head, int64_t axis) const {
  int64_t point = Point(key, head);
  for (; axis > 0; --axis) point /= side_;
  return side_ == 1 ? 0 : point % side_ - Centre(side_);
}

int64_t Grid::Neighbour(int64_t key, int64_t head, int64_t axis, int64_t step) const {
  const int64_t digit = Coordinate(key, head, axis) + Centre(side_) + step;
  if (digit < 0 || digit >= side_) return -1;
  int64_t stride = step;
  for (; axis > 0; --axis) stride *= side_;
  const int64_t there = (key + stride * inverse_ % points_ + points_) % points_;
  return there < keys_ ? there : -1;
}

}  // namespace attest::judge
