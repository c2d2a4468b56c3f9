// SPDX-License-Identifier: Apache-2.0
//
// Guards the calling thread's floating-point modes: a library linked with -ffast-math turns
// denormals off for the whole thread when it is loaded. Sticky exception flags are no modes and
// are let be. On other machines than x86 only what <cfenv> knows, the rounding direction, is named.
#ifndef ATTEST_HARNESS_WORKER_FLOATING_POINT_H_
#define ATTEST_HARNESS_WORKER_FLOATING_POINT_H_

#include <cfenv>
#include <string>

namespace attest::worker {

class FloatingPointGuard {
 public:
  FloatingPointGuard();  // saves the modes
  // Puts the saved modes back where they changed and keeps the names of what had.
  void Restore();
  // "unchanged", or "restored: flush-to-zero, denormals-are-zero": all since construction.
  std::string Report() const;

 private:
  void Note(const char* change);

  std::fenv_t environment_;
  unsigned modes_;  // of the SIMD unit
  std::string changes_;
};

}  // namespace attest::worker

#endif  // ATTEST_HARNESS_WORKER_FLOATING_POINT_H_
