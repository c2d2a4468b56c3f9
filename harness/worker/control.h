// SPDX-License-Identifier: Apache-2.0
//
// The control page: which plugin function is running, and how the worker died. Shared with the
// judge, who reads it after the death; so every write is a plain store that is never delayed.
#ifndef ATTEST_HARNESS_WORKER_CONTROL_H_
#define ATTEST_HARNESS_WORKER_CONTROL_H_

#include "harness/worker/protocol.h"

namespace attest::worker {

// Maps the page of that descriptor, for the life of the process. Throws std::system_error.
void MapControlPage(int fd);
// The mapped page; before MapControlPage a private one, so that parts work alone in tests.
volatile protocol::ControlPage& Control();

// Marks a phase for its lifetime. A crash leaves the mark.
class PhaseScope {
 public:
  explicit PhaseScope(protocol::Phase phase) { Control().phase = phase; }
  ~PhaseScope() { Control().phase = protocol::kIdle; }
  PhaseScope(const PhaseScope&) = delete;
  PhaseScope& operator=(const PhaseScope&) = delete;
};

// Has SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT noted in the control page (signal, address,
// read or write), then given on: to the handler that a library had installed, else to the default,
// so that the process dies by that signal. Call again after anything that may have replaced the
// handlers; that takes them over and chains to the replacements. Main thread.
void InstallCrashHandlers();

}  // namespace attest::worker

#endif  // ATTEST_HARNESS_WORKER_CONTROL_H_
