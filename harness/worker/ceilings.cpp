// SPDX-License-Identifier: Apache-2.0
#include "harness/worker/ceilings.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "harness/worker/ceiling_loops.h"

namespace attest::worker {
namespace {

constexpr int kTrials = 6;
constexpr int kReadTrials = 16;  // the first ones bring the data into the caches
constexpr uint64_t kMostBytes = 512ull << 20;

// Work per second of `threads` threads that each do `work(thread)` over and over for `seconds`.
double Rate(uint32_t threads, double seconds, const std::function<double(uint32_t)>& work) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> rates(threads);
  std::atomic<uint32_t> waiting = threads;
  const auto body = [&](uint32_t thread) {
    --waiting;
    while (waiting > 0) std::this_thread::yield();
    const auto start = Clock::now();
    double done = 0, passed = 0;
    do {
      done += work(thread);
      passed = std::chrono::duration<double>(Clock::now() - start).count();
    } while (passed < seconds);
    rates[thread] = done / passed;
  };
  std::vector<std::jthread> others;
  for (uint32_t i = 1; i < threads; ++i) others.emplace_back(body, i);
  body(0);
  others.clear();
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

double LoopRate(uint32_t threads, double seconds, const Loop& loop) {
  if (loop.run == nullptr) return 0;
  constexpr uint64_t kRounds = 100'000;          // well under a trial, well over a clock reading
  std::vector<float> sinks(threads * 16, 1.0f);  // a cache line apart
  return Rate(threads, seconds,
              [&](uint32_t thread) { return loop.run(kRounds, &sinks[thread * 16]); });
}

double BestOf(int trials, const std::function<double()>& trial) {
  double best = 0;
  for (int i = 0; i < trials; ++i) best = std::max(best, trial());
  return best;
}

}  // namespace

// Memory to read, a part for each thread.
class ReadMemory {
 public:
  ReadMemory(uint32_t threads, uint64_t footprint_bytes)
      : threads_(threads),
        footprint_bytes_(footprint_bytes),
        words_(std::max<size_t>(Wanted(footprint_bytes) / threads / 256, 4) * 32) {
    void* memory =
        mmap(nullptr, Bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
      throw std::system_error(errno, std::generic_category(), "mmap for the read ceiling");
    all_ = static_cast<uint64_t*>(memory);
    // Written, or every page would be the one page of zeros; each part by its own thread.
    std::vector<std::jthread> writers;
    for (uint32_t i = 0; i < threads; ++i)
      writers.emplace_back([=, this] { std::fill_n(all_ + i * words_, words_, uint64_t{i + 1}); });
  }
  ReadMemory(const ReadMemory&) = delete;
  ReadMemory& operator=(const ReadMemory&) = delete;
  ~ReadMemory() { munmap(all_, Bytes()); }

  bool IsFor(uint32_t threads, uint64_t footprint_bytes) const {
    return threads == threads_ && footprint_bytes == footprint_bytes_;
  }

  // Bytes per second.
  double ReadRate(double seconds) {
    std::vector<uint64_t> sums(threads_ * 8);
    const double rate = Rate(threads_, seconds, [&](uint32_t thread) {
      sums[thread * 8] += read_(all_ + thread * words_, words_);
      return static_cast<double>(words_ * sizeof(uint64_t));
    });
    static volatile uint64_t sink;
    for (uint64_t sum : sums) sink = sink + sum;
    return rate;
  }

 private:
  static uint64_t Wanted(uint64_t footprint_bytes) {
    return footprint_bytes == 0 ? kMostBytes : std::min(footprint_bytes, kMostBytes);
  }
  size_t Bytes() const { return words_ * threads_ * sizeof(uint64_t); }

  const uint32_t threads_;
  const uint64_t footprint_bytes_;
  const size_t words_;  // of each thread
  uint64_t* all_ = nullptr;
  const ReadLoop read_ = BestRead();
};

HostCeilings::HostCeilings() = default;
HostCeilings::~HostCeilings() = default;

ReadMemory& HostCeilings::MemoryFor(uint32_t threads, uint64_t footprint_bytes) {
  if (!memory_ || !memory_->IsFor(threads, footprint_bytes)) {
    memory_.reset();  // before more is asked for
    memory_ = std::make_unique<ReadMemory>(threads, footprint_bytes);
  }
  return *memory_;
}

protocol::CeilingsReply HostCeilings::Measure(uint32_t threads, const protocol::Ceilings& request) {
  const Loop fma = BestFma(), dot = BestDot();
  const double seconds = request.seconds;
  protocol::CeilingsReply reply;
  reply.threads = threads;
  reply.isa = fma.isa;
  if (dot.run != nullptr) reply.isa += std::string(", ") + dot.isa;
  reply.f32_fma_flops = BestOf(kTrials, [&] { return LoopRate(threads, seconds, fma); });
  reply.bf16_dot_flops = BestOf(kTrials, [&] { return LoopRate(threads, seconds, dot); });
  ReadMemory& memory = MemoryFor(threads, request.footprint_bytes);
  reply.read_bytes_per_second = BestOf(kReadTrials, [&] { return memory.ReadRate(seconds); });
  memory_.reset();
  return reply;
}

protocol::CeilingsReply HostCeilings::Sample(uint32_t threads, const protocol::Ceilings& request) {
  protocol::CeilingsReply reply;
  reply.threads = threads;
  if (request.figure != "read_bytes_per_second") memory_.reset();
  if (request.figure == "f32_fma_flops") {
    reply.f32_fma_flops = LoopRate(threads, request.seconds, BestFma());
  } else if (request.figure == "bf16_dot_flops") {
    reply.bf16_dot_flops = LoopRate(threads, request.seconds, BestDot());
  } else if (request.figure == "read_bytes_per_second") {
    ReadMemory& memory = MemoryFor(threads, request.footprint_bytes);
    memory.ReadRate(request.seconds);  // as results of such cells: what fits into a cache is there
    reply.read_bytes_per_second = memory.ReadRate(request.seconds);
  } else {
    throw std::invalid_argument("no ceiling is called '" + request.figure + "'");
  }
  return reply;
}

}  // namespace attest::worker
