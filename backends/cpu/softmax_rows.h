// SPDX-License-Identifier: Apache-2.0
//
// What the register tile leaves to memory: moving a row's shift when scores leave the range around
// it, and the whole softmax step where softcap or a mask changes the scores.
#ifndef ATTEST_BACKENDS_CPU_SOFTMAX_ROWS_H_
#define ATTEST_BACKENDS_CPU_SOFTMAX_ROWS_H_

#include "tile.h"

namespace attest::cpu {

// tile.p holds scores minus shifts in columns [first_key, first_key + count), P before them. Moves
// the shift of each row that needs it so far that its largest score lies in (-1, 0], where floats are
// finest (at -20 it had more room to rise, but P the rounding of 20), corrects the scores, and
// rescales what the row has summed up: sums, P and, unless tile.first, out. `count` is a multiple of
// kLanes.
void MoveShifts(const Tile& tile, int first_key, int count);

// tile.p holds raw scores in its first `count` columns, a multiple of kLanes: applies the tile's
// rules and key ranges, moves shifts, and turns the scores into P, added to the sums.
void SoftmaxRows(const Tile& tile, int count);

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_SOFTMAX_ROWS_H_
