// SPDX-License-Identifier: Apache-2.0
//
// Loops that do nothing but one kind of instruction, the best that the CPU has, chosen at run time;
// other machines than x86-64 get portable loops, which reach what the compiler makes of them.
#ifndef ATTEST_HARNESS_WORKER_CEILING_LOOPS_H_
#define ATTEST_HARNESS_WORKER_CEILING_LOOPS_H_

#include <cstddef>
#include <cstdint>

namespace attest::worker {

// Arithmetic for `rounds` rounds: returns the FLOPs; the sink keeps the compiler from dropping
// them.
struct Loop {
  double (*run)(uint64_t rounds,
                float* sink) = nullptr;  // nullptr: the CPU has no such instruction
  const char* isa = "";
};
Loop BestFma();  // f32 multiply-adds
Loop BestDot();  // bf16 dot products: of tiles (AMX), else of vectors

// Reads `count` words, a multiple of 32; returns their sum.
using ReadLoop = uint64_t (*)(const uint64_t* words, size_t count);
ReadLoop BestRead();

}  // namespace attest::worker

#endif  // ATTEST_HARNESS_WORKER_CEILING_LOOPS_H_
