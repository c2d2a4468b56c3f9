// SPDX-License-Identifier: Apache-2.0
//
// The timing loop: Google Benchmark with a fixed number of iterations and times of our own. Only
// timing.cpp knows the library.
#ifndef ATTEST_HARNESS_WORKER_TIMING_H_
#define ATTEST_HARNESS_WORKER_TIMING_H_

#include <cstdint>
#include <functional>

namespace attest::worker {

struct Timing {
  uint64_t iterations = 0;
  double mean_seconds = 0, min_seconds = 0, max_seconds = 0;
};

// Calls `call(0)` to `call(iterations - 1)`; each returns its seconds. An exception ends the loop
// and is thrown on. Throws std::runtime_error where the library ran another number of calls.
Timing TimeCalls(uint64_t iterations, const std::function<double(uint64_t)>& call);

// The library reads BENCHMARK_* variables before main starts, and some change what it measures or
// crash it: where any is set, removes them all and starts this program anew. First thing in main.
void ForgetTimingVariables(char** argv);

}  // namespace attest::worker

#endif  // ATTEST_HARNESS_WORKER_TIMING_H_
