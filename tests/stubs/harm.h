// SPDX-License-Identifier: Apache-2.0
//
// What harmful stubs do to their process and their tensors. Correct arithmetic is in attention.h.
#ifndef ATTEST_TESTS_STUBS_HARM_H_
#define ATTEST_TESTS_STUBS_HARM_H_

#include "attest/abi.h"

namespace stubs {

// Of the stub's fault, the part that happens in plan_run before or instead of the computation.
// Returns true where nothing shall be computed.
bool HarmBefore(const attest_tensor& q, const attest_tensor& k, const attest_tensor& out);
// The part that spoils a computed output.
void HarmAfter(const attest_tensor& out);
// What the fault adds where the library is opened.
void HarmAtLoad();

}  // namespace stubs

#endif  // ATTEST_TESTS_STUBS_HARM_H_
