// SPDX-License-Identifier: Apache-2.0
//
// Google Benchmark 1.7 or later, registered and run anew for every round (about 4 us a round, 50 ns
// an iteration, outside the times).
#include "harness/worker/timing.h"

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace attest::worker {
namespace {

// Keeps the library's own sum of the times; prints nothing.
class QuietReporter : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      iterations += static_cast<uint64_t>(run.iterations);
      seconds += run.real_accumulated_time;
    }
  }
  uint64_t iterations = 0;
  double seconds = 0;
};

}  // namespace

Timing TimeCalls(uint64_t iterations, const std::function<double(uint64_t)>& call) {
  Timing timing{0, 0, std::numeric_limits<double>::infinity(), 0};
  std::exception_ptr failure;
  const auto loop = [&](benchmark::State& state) {
    for (auto _ : state) {
      try {  // the library aborts where an exception passes through it
        const double seconds = call(timing.iterations++);
        state.SetIterationTime(seconds);
        timing.min_seconds = std::min(timing.min_seconds, seconds);
        timing.max_seconds = std::max(timing.max_seconds, seconds);
      } catch (...) {
        failure = std::current_exception();
        state.SkipWithError("the call failed");
        break;
      }
    }
  };
  benchmark::RegisterBenchmark("round", loop)
      ->UseManualTime()
      ->Iterations(static_cast<benchmark::IterationCount>(iterations));
  QuietReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter, "all");
  benchmark::ClearRegisteredBenchmarks();
  if (failure) std::rethrow_exception(failure);
  if (timing.iterations != iterations || reporter.iterations != iterations)
    throw std::runtime_error("the timing loop ran " + std::to_string(timing.iterations) +
                             " calls of " + std::to_string(iterations));
  timing.mean_seconds = reporter.seconds / static_cast<double>(iterations);
  return timing;
}

void ForgetTimingVariables(char** argv) {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (const std::string_view text(*entry); text.rfind("BENCHMARK_", 0) == 0)
      names.emplace_back(text.substr(0, text.find('=')));
  if (names.empty()) return;
  for (const std::string& name : names) unsetenv(name.c_str());
  execv("/proc/self/exe", argv);
  throw std::runtime_error("cannot restart without BENCHMARK_* variables: unset them");
}

}  // namespace attest::worker
