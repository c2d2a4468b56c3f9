// SPDX-License-Identifier: Apache-2.0
//
// What on this machine makes timings noisy, and the command that puts it right. Only reads, from
// /proc, /sys and the environment, as the kernel's Documentation describes them; what cannot be
// read is said to be unknown, never taken for quiet.
#ifndef ATTEST_HARNESS_REPORT_NOISE_SOURCES_H_
#define ATTEST_HARNESS_REPORT_NOISE_SOURCES_H_

#include <functional>
#include <string>
#include <vector>

namespace attest::report {

enum class NoiseState { kQuiet, kNoisy, kUnknown };
std::string NoiseStateName(NoiseState state);  // "quiet", "noisy", "unknown"

struct NoiseSource {
  std::string name;  // "governor", "turbo", ...
  NoiseState state = NoiseState::kUnknown;
  std::string found;  // what was read, in words
  std::string fix;    // a command, or what to ask for; "" where nothing needs it
};

struct NoiseOptions {
  std::string root;            // before /proc and /sys, for tests
  std::vector<int> cpus;       // that measurements may use
  int threads = 1;             // that they will use
  std::function<void()> wait;  // between the two readings of counters; about a second
  std::function<std::string(const std::string&)> variable;  // of the environment, "" = not set
};

// Every source, in a fixed order.
std::vector<NoiseSource> FindNoiseSources(const NoiseOptions& options);

// One line each, the fix below it, and a count; the same as a JSON array.
std::string NoiseSourcesText(const std::vector<NoiseSource>& sources);
std::string NoiseSourcesJson(const std::vector<NoiseSource>& sources);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_NOISE_SOURCES_H_
