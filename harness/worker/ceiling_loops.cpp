// SPDX-License-Identifier: Apache-2.0
//
// 12 independent chains of vectors: latency 4 x 2 ports needs 8.
#include "harness/worker/ceiling_loops.h"

#include <algorithm>
#include <iterator>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace attest::worker {
namespace {

constexpr int kChains = 12;

double FmaPortable(uint64_t rounds, float* sink) {
  float chains[kChains * 4];
  std::fill(std::begin(chains), std::end(chains), *sink);
  for (uint64_t i = 0; i < rounds; ++i)
    for (float& chain : chains) chain = chain * 0.999f + 0.001f;
  for (float chain : chains) *sink += chain;
  return static_cast<double>(rounds) * kChains * 4 * 2;
}

uint64_t ReadPortable(const uint64_t* words, size_t count) {
  uint64_t sums[4] = {};
  for (size_t i = 0; i + 4 <= count; i += 4)
    for (size_t lane = 0; lane < 4; ++lane) sums[lane] += words[i + lane];
  return sums[0] + sums[1] + sums[2] + sums[3];
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) double FmaAvx2(uint64_t rounds, float* sink) {
  __m256 chains[kChains];
  for (auto& chain : chains) chain = _mm256_set1_ps(*sink);
  const __m256 factor = _mm256_set1_ps(0.999f), term = _mm256_set1_ps(0.001f);
  for (uint64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) chains[c] = _mm256_fmadd_ps(chains[c], factor, term);
  float lanes[8];
  for (auto& chain : chains) {
    _mm256_storeu_ps(lanes, chain);
    *sink += lanes[0];
  }
  return static_cast<double>(rounds) * kChains * 8 * 2;
}

__attribute__((target("avx512f"))) double FmaAvx512(uint64_t rounds, float* sink) {
  __m512 chains[kChains];
  for (auto& chain : chains) chain = _mm512_set1_ps(*sink);
  const __m512 factor = _mm512_set1_ps(0.999f), term = _mm512_set1_ps(0.001f);
  for (uint64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) chains[c] = _mm512_fmadd_ps(chains[c], factor, term);
  float lanes[16];
  for (auto& chain : chains) {
    _mm512_storeu_ps(lanes, chain);
    *sink += lanes[0];
  }
  return static_cast<double>(rounds) * kChains * 16 * 2;
}

__attribute__((target("avx512f,avx512bf16"))) double DotAvx512(uint64_t rounds, float* sink) {
  __m512 chains[kChains];
  for (auto& chain : chains) chain = _mm512_set1_ps(*sink);
  const __m512i ones = _mm512_set1_epi32(0x3f803f80);  // two bf16 of 1
  const __m512bh pairs = (__m512bh)ones;
  for (uint64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) chains[c] = _mm512_dpbf16_ps(chains[c], pairs, pairs);
  float lanes[16];
  for (auto& chain : chains) {
    _mm512_storeu_ps(lanes, chain);
    *sink += lanes[0];
  }
  return static_cast<double>(rounds) * kChains * 32 * 2;
}

#if defined(__linux__)
// Linux gives the tiles' 8 KiB of state to processes that ask for it (arch_prctl(2)).
bool HasAmx() {
  constexpr unsigned kBfloat = 1u << 22, kTiles = 1u << 24;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kBfloat) != 0 && (d & kTiles) != 0 &&
         syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// Products of tiles, 16 x 32 by 32 x 16, from registers into 4 chains: latency 52, one in 16
// cycles.
__attribute__((target("avx512f,amx-tile,amx-bf16"))) double DotAmx(uint64_t rounds, float* sink) {
  constexpr int kTiles = 4, kTileWords = 16 * 16;
  struct alignas(64) Configuration {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };
  static constexpr Configuration kWhole;
  alignas(64) uint32_t pairs[kTileWords];
  std::fill(std::begin(pairs), std::end(pairs), 0x3f803f80u);  // two bf16 of 1
  _tile_loadconfig(&kWhole);
  _tile_loadd(4, pairs, 64);
  _tile_loadd(5, pairs, 64);
  _tile_loadd(6, pairs, 64);
  _tile_loadd(7, pairs, 64);
  for (uint64_t i = 0; i < rounds; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  alignas(64) float sums[kTileWords];
  _tile_stored(0, sums, 64);
  _tile_release();
  *sink += sums[0];
  return static_cast<double>(rounds) * kTiles * kTileWords * 32 * 2;
}
#endif

// Four streams, each fetched 16 cache lines ahead: with one alone, latency decides, and the rate of
// what lies in the last-level cache changes by a factor of two from run to run.
__attribute__((target("avx2"))) uint64_t ReadAvx2(const uint64_t* words, size_t count) {
  constexpr size_t kStreams = 4, kLine = 8, kAhead = 16 * kLine;
  const size_t stream = count / kStreams;  // a multiple of kLine
  __m256i sums[kStreams][2] = {};
  for (size_t i = 0; i < stream; i += kLine)
#pragma GCC unroll 4
    for (size_t s = 0; s < kStreams; ++s) {
      const uint64_t* line = words + s * stream + i;
      _mm_prefetch(line + kAhead, _MM_HINT_T0);
      const auto* pair = reinterpret_cast<const __m256i*>(line);
      sums[s][0] = _mm256_add_epi64(sums[s][0], _mm256_load_si256(pair));
      sums[s][1] = _mm256_add_epi64(sums[s][1], _mm256_load_si256(pair + 1));
    }
  __m256i sum = {};
  for (auto& pair : sums) sum = _mm256_add_epi64(sum, _mm256_add_epi64(pair[0], pair[1]));
  return static_cast<uint64_t>(_mm256_extract_epi64(sum, 0));
}
#endif

}  // namespace

Loop BestFma() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {FmaAvx512, "AVX-512"};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {FmaAvx2, "AVX2"};
#endif
  return {FmaPortable, "portable"};
}

Loop BestDot() {
#if defined(__x86_64__)
#if defined(__linux__)
  static const bool has_amx = HasAmx();
  if (has_amx) return {DotAmx, "AMX BF16"};
#endif
  if (__builtin_cpu_supports("avx512bf16")) return {DotAvx512, "AVX-512 BF16"};
#endif
  return {};
}

ReadLoop BestRead() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return ReadAvx2;
#endif
  return ReadPortable;
}

}  // namespace attest::worker
