// SPDX-License-Identifier: Apache-2.0
//
// The unit of work of cpu:flash on tiles of AMX: up to 16 query rows against one panel of up to 64
// keys. Both products are computed by tiles, softmax between them as in dot_tile.h. Vectors and
// tiles work side by side where they belong to different units: while the softmax of one is
// computed, the scores of the next one and the output of the one before are. So three units are
// under way.
//
// bf16, two threads of a Xeon (Emerald Rapids) whose neighbours used AMX, too: 2.1 to 4.3 times as
// fast as its f32 for 128 to 4096 tokens, d = 64 and 128, 18 to 31 % of the tiles' rate (results/,
// 20261128-716837f-types); its vectors' dot products took twice as long as f32. Alone, a unit of d
// = 64 takes 450 ns, of which softmax by itself takes 180 and the products 110 at the tiles' rate.
// Units of 32 rows in blocks of 2 x 2 tiles were 10 % slower. Tried without gain: rows in blocks
// that stay in L1 against 16 panels, asking for the next rows.
#ifndef ATTEST_BACKENDS_CPU_AMX_TILE_H_
#define ATTEST_BACKENDS_CPU_AMX_TILE_H_

#include "amx.h"
#include "dot_tile.h"

namespace attest::cpu {

inline constexpr int kAmxGroupRows = 4;  // rows whose softmax is computed at once, with one state
inline constexpr int kAmxUnits = 2;      // P, scores and ranges of keys that are in use at a time
inline constexpr int kAmxPanels = 3;     // panels of V that are in use at a time

// All calls from one thread, between StartTiles and StopTiles. Only where HasAmx().
class AmxPipeline {
 public:
  // Takes the next unit; after Drain its rows of `out` are complete. `q_pairs` and `key_pairs` are
  // used until Push returns, what softmax needs until the next Push has, the rest until the one
  // after it has. Operands are filled up to whole tiles: q_pairs by any rows, q_pairs and key_pairs
  // by elements of 0, value_pairs by keys of 0. `state` has one element for each group of rows.
  void Push(const DotTile& unit);

  // Ends what was pushed.
  void Drain();

 private:
  struct Unit {
    DotTile tile{};           // no rows: there is none
    float factors[kAmxRows];  // what its rows of `out` are multiplied by first
  };

  void Advance(const DotTile* next);

  Unit units_[2];
  int scored_ = 0;  // which one has scores; the other one has P
};

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_AMX_TILE_H_
