// SPDX-License-Identifier: Apache-2.0
//
// Tiles of AMX: 16 rows of 64 bytes in one register, and the product of two of them, 16 x 32 bf16
// by 32 x 16, added to 16 x 16 f32 (TDPBF16PS). For modules that are compiled for AVX-512 without
// it: what uses tiles bears ATTEST_AMX or ATTEST_AMX_INLINE, and runs only where HasAmx(), between
// StartTiles() and StopTiles() of the same thread. Subnormal numbers count as 0, sums are rounded
// to nearest. Source: Intel, Instruction Set Extensions Programming Reference (319433), chapter 3.
#ifndef ATTEST_BACKENDS_CPU_AMX_H_
#define ATTEST_BACKENDS_CPU_AMX_H_

#include "simd.h"

namespace attest::cpu {

inline constexpr int kAmxRows = 16;     // of one register
inline constexpr int kAmxColumns = 16;  // words, f32 or pairs, of a row
inline constexpr int kAmxDepth = 32;    // bf16 of a row

// Whether module, CPU and kernel have them; asks the kernel for the process's permission to use
// them.
bool HasAmx();

// Makes all 8 registers whole tiles. They hold 0 then.
void StartTiles();
// Without it a thread's context switches save 8 KiB more.
void StopTiles();

}  // namespace attest::cpu

#if HWY_TARGET <= HWY_AVX3
#include <immintrin.h>

#define ATTEST_AMX __attribute__((target("amx-tile,amx-bf16,avx512bf16")))
#define ATTEST_AMX_INLINE ATTEST_AMX HWY_INLINE

namespace attest::cpu {

// Sums of up to two tiles side by side, in registers 0 and 1 (kSet = 0) or 2 and 3 (1): while one
// set is computed the other one can be stored. The left operand is in 4, the right one in 5 and 6.
// Strides are in bytes.
template <int kSet, int C>
ATTEST_AMX_INLINE void ZeroSums() {
  if constexpr (kSet == 0) {
    _tile_zero(0);
    if constexpr (C > 1) _tile_zero(1);
  } else {
    _tile_zero(2);
    if constexpr (C > 1) _tile_zero(3);
  }
}

template <int kSet, int C>
ATTEST_AMX_INLINE void LoadSums(const float* from, int64_t stride) {
  if constexpr (kSet == 0) {
    _tile_loadd(0, from, stride);
    if constexpr (C > 1) _tile_loadd(1, from + kAmxColumns, stride);
  } else {
    _tile_loadd(2, from, stride);
    if constexpr (C > 1) _tile_loadd(3, from + kAmxColumns, stride);
  }
}

// sums += left x right for 16 rows, 32 elements of the sum's dimension and 16 C columns; `right`
// holds pairs, [16][columns].
template <int kSet, int C>
ATTEST_AMX_INLINE void AddProducts(const void* left, int64_t left_stride, const uint32_t* right,
                                   int64_t right_stride) {
  _tile_loadd(4, left, left_stride);
  _tile_loadd(5, right, right_stride);
  if constexpr (C > 1) _tile_loadd(6, right + kAmxColumns, right_stride);
  if constexpr (kSet == 0) {
    _tile_dpbf16ps(0, 4, 5);
    if constexpr (C > 1) _tile_dpbf16ps(1, 4, 6);
  } else {
    _tile_dpbf16ps(2, 4, 5);
    if constexpr (C > 1) _tile_dpbf16ps(3, 4, 6);
  }
}

// Stores one of the sums, 0 or 1.
template <int kSet, int kIndex>
ATTEST_AMX_INLINE void StoreSum(float* to, int64_t stride) {
  if constexpr (kSet == 0 && kIndex == 0) _tile_stored(0, to, stride);
  if constexpr (kSet == 0 && kIndex == 1) _tile_stored(1, to + kAmxColumns, stride);
  if constexpr (kSet == 1 && kIndex == 0) _tile_stored(2, to, stride);
  if constexpr (kSet == 1 && kIndex == 1) _tile_stored(3, to + kAmxColumns, stride);
}

}  // namespace attest::cpu

#endif
#endif  // ATTEST_BACKENDS_CPU_AMX_H_
