// SPDX-License-Identifier: Apache-2.0
//
// Ctrl-C and SIGTERM end a sweep in good order; a second one ends the process at once.
#ifndef ATTEST_HARNESS_CLI_INTERRUPT_H_
#define ATTEST_HARNESS_CLI_INTERRUPT_H_

namespace attest::cli {

void CatchInterrupts();
bool Interrupted();

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_INTERRUPT_H_
