// SPDX-License-Identifier: Apache-2.0
#include "amx.h"

#if HWY_TARGET <= HWY_AVX3

#include <cpuid.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace attest::cpu {
namespace {

bool CpuHasTiles() {
  constexpr unsigned kBfloat = 1u << 22, kTiles = 1u << 24;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kBfloat) != 0 && (d & kTiles) != 0;
}

// Linux gives the 8 KiB of state to processes that ask for it, before any thread of theirs uses it.
bool Permitted() {
#if defined(__linux__) && defined(__x86_64__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // arch_prctl(2)
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace

bool HasAmx() {
  static const bool has = CpuHasTiles() && Permitted();
  return has;
}

ATTEST_AMX void StartTiles() {
  struct alignas(64) Configuration {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };
  static constexpr Configuration kWhole;
  _tile_loadconfig(&kWhole);
}

ATTEST_AMX void StopTiles() { _tile_release(); }

}  // namespace attest::cpu

#else

namespace attest::cpu {

bool HasAmx() { return false; }
void StartTiles() {}  // never called
void StopTiles() {}

}  // namespace attest::cpu

#endif
