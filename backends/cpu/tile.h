// SPDX-License-Identifier: Apache-2.0
//
// The unit of work of cpu:flash: up to 6 query rows against one panel of up to 64 keys, online
// softmax in f32. S (rows x 64) sits in registers, P = kUnit x 2^(S - m) goes through a scratch
// that stays in L1, O += P V in place. A row's shift m is no exact maximum: any m from 30 below to
// 20 above the largest score gives the same quotient, so m starts at 0 and moves only when a score
// leaves that range (softmax_rows.h), without computing the scores again.
#ifndef ATTEST_BACKENDS_CPU_TILE_H_
#define ATTEST_BACKENDS_CPU_TILE_H_

#include <cstdint>

#include "attest/abi.h"
#include "simd.h"

namespace attest::cpu {

// What stays in [kLowestStart, kHighest] needs no new shift, in units of log2.
inline constexpr float kHighest = 30.0f;
inline constexpr float kLowestStart = -20.0f;

// What changes scores beside position: in units of log2, as the packed keys give them.
struct ScoreRules {
  float softcap =
      0;  // scores are 2 x / softcap where it is on, so that exp2 of them is e^(2x / cap)
  int32_t mask = ATTEST_MASK_NONE;
  int32_t mask_dtype = ATTEST_BOOL;
  int64_t mask_key_stride = 0;  // in elements
};

enum TileState : uint8_t {
  kUnsettled = 1,  // a row has not met a visible key
  kShifted = 2,    // a row has a shift: scores are spread widely
};

struct Tile {
  // operands
  const float* q;  // [rows, depth]
  int64_t q_stride;
  const float* keys;    // packed panel (pack.h), multiplied by scale x log2(e)
  const float* values;  // [keys, value_size]
  int64_t value_stride;
  float* out;  // [rows, value_size]; not divided by the sums before `last`
  int64_t out_stride;
  int depth;
  int value_size;
  // state of the rows, kept from panel to panel
  float* shifts;   // [rows]: -m
  float* sums;     // [rows][kLanes] of P so far, 0 at first
  uint8_t* state;  // TileState bits; kUnsettled at first
  float* p;        // scratch [kRows][kPanelKeys]
  // this panel
  int rows;
  int key_count;  // keys to compute, >= 1; those from it on are hidden
  bool few;       // keys are rows of whole vectors, up to kFewKeys
  bool masked;    // begin and end matter
  bool first;     // nothing is in `out` yet
  bool last;      // divide by the sums
  int* begin;     // visible keys of each row, relative to the panel, [rows]
  int* end;
  const ScoreRules* rules;  // or nullptr
  const void** mask;        // of each row, at the panel's first key
  int64_t stream_keys;      // keys of each stream where the panel is read in streams, else 0
};

// Where ranges and masks of R rows lie.
template <int R>
struct RowKeys {
  int begin[R], end[R];
  const void* mask[R];

  void SetFor(Tile& tile) {
    tile.begin = begin;
    tile.end = end;
    tile.mask = mask;
  }
};

// Computes the tile for the head size `depth`.
void ComputeTile(const Tile& tile);

// Its two parts: P, and what P adds to `out`, for which ranges and masks are no longer needed.
void ComputeScores(const Tile& tile);
void ComputeOutput(const Tile& tile);

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_TILE_H_
