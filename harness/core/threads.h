// SPDX-License-Identifier: Apache-2.0
//
// Thread counts of a run: the one its host backends compute with, and fewer ones that they are
// started with beside it, in the same rounds, to see how they scale. Started with fewer, backend
// "cpu" is called "cpu-1t", so that whoever tells results apart by name never mixes the counts.
#ifndef ATTEST_HARNESS_CORE_THREADS_H_
#define ATTEST_HARNESS_CORE_THREADS_H_

#include <string>
#include <string_view>
#include <vector>

namespace attest {

struct ThreadCounts {
  unsigned most = 1;
  std::vector<unsigned> fewer;  // ascending, below `most`
};

// "2", or several as "1,2" or "1-8*2"; an empty text is all CPUs. Throws std::invalid_argument for
// what is no number of at least 1, for one that is given twice, and for several of which one is
// above `cpus`: threads that share CPUs show no scaling.
ThreadCounts ParseThreads(const std::string& text, unsigned cpus);
// The option's text: "1,2".
std::string ThreadsText(const ThreadCounts& counts);

// "cpu", 1 -> "cpu-1t"; 0 -> "cpu".
std::string NameWithThreads(const std::string& backend, unsigned fewer);

struct ThreadedName {
  std::string backend;  // "cpu"
  unsigned fewer = 0;   // 1 of "cpu-1t"; 0: the run's own number
};
ThreadedName SplitThreads(std::string_view name);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_THREADS_H_
