// SPDX-License-Identifier: Apache-2.0
#include "harness/core/threads.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>

#include "harness/core/sweep.h"

namespace attest {

ThreadCounts ParseThreads(const std::string& text, unsigned cpus) {
  if (text.empty()) return {cpus, {}};
  std::vector<int64_t> counts = ParseNumbers("threads", text);
  std::sort(counts.begin(), counts.end());
  for (const int64_t count : counts)
    if (count < 1 || count > std::numeric_limits<int>::max())
      throw std::invalid_argument(
          fmt::format("--threads: {} threads cannot compute: use 1 or more", count));
  if (const auto twice = std::adjacent_find(counts.begin(), counts.end()); twice != counts.end())
    throw std::invalid_argument(fmt::format("--threads: {} is given twice", *twice));
  if (counts.size() > 1 && counts.back() > int64_t{cpus})
    throw std::invalid_argument(
        fmt::format("--threads: {} is more than the {} CPUs that this process may use, and threads "
                    "that share a CPU show no scaling: leave it out",
                    counts.back(), cpus));
  ThreadCounts parsed;
  for (const int64_t count : counts) parsed.fewer.push_back(static_cast<unsigned>(count));
  parsed.most = parsed.fewer.back();
  parsed.fewer.pop_back();
  return parsed;
}

std::string ThreadsText(const ThreadCounts& counts) {
  std::vector<unsigned> all = counts.fewer;
  all.push_back(counts.most);
  return fmt::format("{}", fmt::join(all, ","));
}

std::string NameWithThreads(const std::string& backend, unsigned fewer) {
  return fewer == 0 ? backend : fmt::format("{}-{}t", backend, fewer);
}

ThreadedName SplitThreads(std::string_view name) {
  const ThreadedName whole{std::string(name), 0};
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0 || !name.ends_with('t')) return whole;
  const char* end = name.data() + name.size() - 1;
  unsigned fewer = 0;
  const auto [stop, error] = std::from_chars(name.data() + dash + 1, end, fewer);
  if (error != std::errc() || stop != end || fewer == 0) return whole;
  return {std::string(name.substr(0, dash)), fewer};
}

}  // namespace attest
