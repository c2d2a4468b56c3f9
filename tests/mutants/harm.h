// SPDX-License-Identifier: Apache-2.0
//
// Faults that are not arithmetic: outputs that are not written, written elsewhere, spoilt after
// they were computed, or taken from an earlier call.
#ifndef ATTEST_TESTS_MUTANTS_HARM_H_
#define ATTEST_TESTS_MUTANTS_HARM_H_

#include <cstdint>

#include "attest/abi.h"
#include "mutant.h"

namespace mutants {

// Whether the row is left unwritten.
bool SkipsRow(const Mutant& mutant, const attest_problem& problem, int64_t i);
// The value as the output's type holds it, rounded to nearest (or, f64 to f32, cut).
void StoreOutput(const Mutant& mutant, double value, const attest_tensor& out, int64_t offset);
// True: the output is the one of an earlier call on a problem of the same shape.
bool AnswerFromCache(const attest_problem& problem, const attest_tensor& out);
void KeepInCache(const attest_problem& problem, const attest_tensor& out);
// Spoils the computed output, or what lies around it, or K.
void HarmAfter(const Mutant& mutant, const attest_problem& problem, const attest_tensor& out,
               const attest_tensor& k);

}  // namespace mutants

#endif  // ATTEST_TESTS_MUTANTS_HARM_H_
