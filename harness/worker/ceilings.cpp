// SPDX-License-Identifier: Apache-2.0
//
// Loops that do nothing but one kind of instruction, in 12 independent chains (latency 4 x 2 ports
// needs 8). The ISA is chosen at run time; other machines than x86-64 get the portable loops,
// which reach what the compiler makes of them.
#include "harness/worker/ceilings.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace attest::worker {
namespace {

constexpr int kTrials = 6;
constexpr int kReadTrials = 16;  // the first ones bring the data into the caches
constexpr double kTrialSeconds = 0.03;
constexpr uint64_t kMostBytes = 512ull << 20;
constexpr int kChains = 12;

// A loop's work in FLOP or bytes for `rounds` rounds; the sum keeps the compiler from dropping it.
struct Loop {
  double (*run)(uint64_t rounds, float* sink);
  const char* isa;
};

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

// Four streams, each fetched 16 cache lines ahead: with one alone, latency decides, and the rate of
// what lies in the last-level cache changes by a factor of two from run to run.
__attribute__((target("avx2"))) uint64_t ReadAvx2(const uint64_t* words, size_t count) {
  constexpr size_t kStreams = 4, kLine = 8, kAhead = 16 * kLine;
  const size_t stream = count / kStreams;  // a multiple of kLine, see ReadRate
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

Loop BestFma() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {FmaAvx512, "AVX-512"};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {FmaAvx2, "AVX2"};
#endif
  return {FmaPortable, "portable"};
}

Loop BestDot() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bf16")) return {DotAvx512, "AVX-512 BF16"};
#endif
  return {nullptr, ""};
}

auto BestRead() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return ReadAvx2;
#endif
  return ReadPortable;
}

// Work per second of `threads` threads that each do `work(thread)` over and over for a trial's
// time.
double BestRate(uint32_t threads, int trials, const std::function<double(uint32_t)>& work) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> rates(threads);
    std::atomic<uint32_t> waiting = threads;
    const auto body = [&](uint32_t thread) {
      --waiting;
      while (waiting > 0) std::this_thread::yield();
      const auto start = Clock::now();
      double done = 0, seconds = 0;
      do {
        done += work(thread);
        seconds = std::chrono::duration<double>(Clock::now() - start).count();
      } while (seconds < kTrialSeconds);
      rates[thread] = done / seconds;
    };
    std::vector<std::jthread> others;
    for (uint32_t i = 1; i < threads; ++i) others.emplace_back(body, i);
    body(0);
    others.clear();
    double sum = 0;
    for (double rate : rates) sum += rate;
    best = std::max(best, sum);
  }
  return best;
}

double LoopRate(uint32_t threads, const Loop& loop) {
  constexpr uint64_t kRounds = 100'000;          // well under a trial, well over a clock reading
  std::vector<float> sinks(threads * 16, 1.0f);  // a cache line apart
  return BestRate(threads, kTrials,
                  [&](uint32_t thread) { return loop.run(kRounds, &sinks[thread * 16]); });
}

double ReadRate(uint32_t threads, uint64_t footprint_bytes) {
  const uint64_t wanted = footprint_bytes == 0 ? kMostBytes : std::min(footprint_bytes, kMostBytes);
  const size_t words = std::max<size_t>(wanted / threads / 256, 4) * 32;  // of each thread
  const size_t bytes = words * threads * sizeof(uint64_t);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    throw std::system_error(errno, std::generic_category(), "mmap for the read ceiling");
  auto* all = static_cast<uint64_t*>(memory);
  // Written, or every page would be the one page of zeros; each part by its own thread.
  std::vector<std::jthread> writers;
  for (uint32_t i = 0; i < threads; ++i)
    writers.emplace_back([=] { std::fill_n(all + i * words, words, uint64_t{i + 1}); });
  writers.clear();
  std::vector<uint64_t> sums(threads * 8);
  const auto read = BestRead();
  const double rate = BestRate(threads, kReadTrials, [&](uint32_t thread) {
    sums[thread * 8] += read(all + thread * words, words);
    return static_cast<double>(words * sizeof(uint64_t));
  });
  static volatile uint64_t sink;
  for (uint64_t sum : sums) sink = sink + sum;
  munmap(memory, bytes);
  return rate;
}

}  // namespace

protocol::CeilingsReply MeasureHostCeilings(uint32_t threads, uint64_t footprint_bytes) {
  threads = std::max(threads, 1u);
  const Loop fma = BestFma(), dot = BestDot();
  protocol::CeilingsReply reply;
  reply.threads = threads;
  reply.isa = fma.isa;
  if (dot.run != nullptr) reply.isa += std::string(", ") + dot.isa;
  reply.f32_fma_flops = LoopRate(threads, fma);
  if (dot.run != nullptr) reply.bf16_dot_flops = LoopRate(threads, dot);
  reply.read_bytes_per_second = ReadRate(threads, footprint_bytes);
  return reply;
}

}  // namespace attest::worker
