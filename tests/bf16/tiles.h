// SPDX-License-Identifier: Apache-2.0
//
// AMX tiles in software, so that what cpu does with them is checked on CPUs without. Included
// before any other file of such a build of the cpu backend: it takes the place of the intrinsics
// that backends/cpu/amx.h calls. Source: Intel 64 and IA-32 Architectures Software Developer's
// Manual, volume 2, TILELOADD, TILESTORED, TILEZERO, TDPBF16PS.
#ifndef ATTEST_TESTS_BF16_TILES_H_
#define ATTEST_TESTS_BF16_TILES_H_

// GCC 12 warns about this header itself (bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstdint>

namespace attest::tiles {

// The 8 registers of the calling thread, all whole. A use before Start or after Stop ends the
// process, as the CPU's own does.
void Start();  // they hold 0
void Stop();

void Zero(int tile);
void Load(int tile, const void* from, int64_t stride);  // bytes from row to row
void Store(int tile, void* to, int64_t stride);
// sums += left x right, sums of even and of odd elements apart and rounded at every step;
// subnormal numbers, given or found, count as 0.
void AddProducts(int sums, int left, int right);

}  // namespace attest::tiles

#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_zero(tile) attest::tiles::Zero(tile)
#define _tile_loadd(tile, from, stride) attest::tiles::Load(tile, from, stride)
#define _tile_stored(tile, to, stride) attest::tiles::Store(tile, to, stride)
#define _tile_dpbf16ps(sums, left, right) attest::tiles::AddProducts(sums, left, right)

#endif  // ATTEST_TESTS_BF16_TILES_H_
