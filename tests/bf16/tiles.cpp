// SPDX-License-Identifier: Apache-2.0
#include "tiles.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace attest::tiles {
namespace {

constexpr int kTiles = 8, kRows = 16, kRowBytes = 64, kWords = kRowBytes / 4;

struct Tile {
  alignas(kRowBytes) uint32_t words[kRows][kWords];
};

struct Registers {
  bool started = false;
  Tile tiles[kTiles] = {};
};

Registers& OfThread() {
  static thread_local Registers registers;
  return registers;
}

Tile& TileOf(int index) {
  Registers& registers = OfThread();
  if (!registers.started) {
    std::fprintf(stderr, "a tile was used outside StartTiles() and StopTiles()\n");
    std::abort();
  }
  return registers.tiles[index];
}

float Flushed(float x) {
  return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x;
}

// The bf16 in the low or in the high half of a word.
float LowOf(uint32_t word) { return Flushed(std::bit_cast<float>(word << 16)); }
float HighOf(uint32_t word) { return Flushed(std::bit_cast<float>(word & 0xffff0000u)); }

float MultiplyAdd(float a, float b, float sum) { return Flushed(std::fma(a, b, sum)); }

}  // namespace

void Start() {
  OfThread() = {};
  OfThread().started = true;
}
void Stop() { OfThread() = {}; }

void Zero(int tile) { TileOf(tile) = {}; }

void Load(int tile, const void* from, int64_t stride) {
  Tile& to = TileOf(tile);
  for (int row = 0; row < kRows; ++row)
    std::memcpy(to.words[row], static_cast<const char*>(from) + row * stride, kRowBytes);
}

void Store(int tile, void* to, int64_t stride) {
  const Tile& from = TileOf(tile);
  for (int row = 0; row < kRows; ++row)
    std::memcpy(static_cast<char*>(to) + row * stride, from.words[row], kRowBytes);
}

void AddProducts(int sums, int left, int right) {
  Tile& out = TileOf(sums);
  const Tile &a = TileOf(left), &b = TileOf(right);
  for (int row = 0; row < kRows; ++row)
    for (int column = 0; column < kWords; ++column) {
      float even = 0, odd = 0;
      for (int k = 0; k < kWords; ++k) {
        even = MultiplyAdd(LowOf(a.words[row][k]), LowOf(b.words[k][column]), even);
        odd = MultiplyAdd(HighOf(a.words[row][k]), HighOf(b.words[k][column]), odd);
      }
      uint32_t& word = out.words[row][column];
      word = std::bit_cast<uint32_t>(
          Flushed(Flushed(std::bit_cast<float>(word)) + Flushed(even + odd)));
    }
}

}  // namespace attest::tiles
