// SPDX-License-Identifier: Apache-2.0
//
// MXCSR's bits: Intel SDM volume 1, section 10.2.3. fesetenv restores the x87 unit and MXCSR.
#include "harness/worker/floating_point.h"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace attest::worker {
namespace {

constexpr unsigned kFlushToZero = 1u << 15, kRounding = 3u << 13, kExceptionMasks = 0x3fu << 7;
constexpr unsigned kDenormalsAreZero = 1u << 6;
constexpr unsigned kModes = kFlushToZero | kRounding | kExceptionMasks | kDenormalsAreZero;

unsigned SimdModes() {
#if defined(__SSE__)
  return _mm_getcsr() & kModes;
#else
  return static_cast<unsigned>(std::fegetround());
#endif
}

// The x87 unit's control word; it is all that plain <cfenv> hides.
unsigned X87Modes() {
#if defined(__x86_64__) || defined(__i386__)
  std::fenv_t now;
  std::fegetenv(&now);  // masks the x87 exceptions, so the old state is put back
  std::fesetenv(&now);
  return now.__control_word;
#else
  return 0;
#endif
}

unsigned X87Of([[maybe_unused]] const std::fenv_t& environment) {
#if defined(__x86_64__) || defined(__i386__)
  return environment.__control_word;
#else
  return 0;
#endif
}

}  // namespace

FloatingPointGuard::FloatingPointGuard() : modes_(SimdModes()) {
  std::fegetenv(&environment_);
  std::fesetenv(&environment_);
}

void FloatingPointGuard::Note(const char* change) {
  if (changes_.find(change) != std::string::npos) return;
  changes_ += changes_.empty() ? "" : ", ";
  changes_ += change;
}

void FloatingPointGuard::Restore() {
  const unsigned simd = SimdModes() ^ modes_;
  const bool x87_changed = X87Modes() != X87Of(environment_);
  if (simd == 0 && !x87_changed) return;
#if defined(__SSE__)
  if (simd & kFlushToZero) Note("flush-to-zero");
  if (simd & kDenormalsAreZero) Note("denormals-are-zero");
  if (simd & kRounding) Note("rounding direction");
  if (simd & kExceptionMasks) Note("exception masks");
#else
  if (simd) Note("rounding direction");
#endif
  if (x87_changed && simd == 0) Note("x87 control word");
  std::fesetenv(&environment_);
#if defined(__SSE__)
  _mm_setcsr((_mm_getcsr() & ~kModes) | modes_);
#endif
}

std::string FloatingPointGuard::Report() const {
  return changes_.empty() ? "unchanged" : "restored: " + changes_;
}

}  // namespace attest::worker
