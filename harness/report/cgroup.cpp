// SPDX-License-Identifier: Apache-2.0
//
// CPU and memory limits of the control groups this process is in; versions 1 and 2 by the kernel's
// Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst. A limit of any level above holds too.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "harness/core/words.h"
#include "harness/report/environment.h"

namespace attest::report {
namespace {

namespace fs = std::filesystem;

// Version 1 says "no limit" by the largest page-aligned number; no machine has half of it.
constexpr uint64_t kNoMemoryLimit = uint64_t{1} << 62;

struct Group {
  fs::path mount;    // of the hierarchy
  std::string path;  // of this process in it
  bool version2 = false;
};

std::string FirstLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The hierarchy that rules `controller`: a line "4:memory:/a/b" (version 1), else "0::/a/b"
// (version 2).
std::optional<Group> FindGroup(const std::string& root, const std::string& controller) {
  std::ifstream file(root + "/proc/self/cgroup");
  const fs::path mounts = root + "/sys/fs/cgroup";
  std::optional<Group> group;
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    const std::vector<std::string> controllers = Split(names, ',');
    const bool version1 =
        std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
    if (version1) return Group{mounts / controller, line.substr(second + 1), false};
    if (names.empty()) group = Group{mounts, line.substr(second + 1), true};
  }
  return group;
}

// The least value that `read` finds in the group's folder or one above it. In a container the path
// may be that of the host, of which only the mount itself is to be seen here.
template <class Value>
std::optional<Value> LeastAbove(const Group& group,
                                const std::function<std::optional<Value>(const fs::path&)>& read) {
  std::optional<Value> least = read(group.mount);
  fs::path folder = group.mount;
  for (const std::string& name : Split(group.path, '/')) {
    if (name.empty()) continue;
    folder /= name;
    const std::optional<Value> value = read(folder);
    if (value && (!least || *value < *least)) least = value;
  }
  return least;
}

// "max 100000" or "150000 100000".
std::optional<double> QuotaVersion2(const fs::path& folder) {
  std::istringstream line(FirstLine(folder / "cpu.max"));
  double quota = 0, period = 0;
  if (!(line >> quota >> period) || !(quota > 0 && period > 0)) return std::nullopt;
  return quota / period;
}

std::optional<double> QuotaVersion1(const fs::path& folder) {
  std::istringstream quota_line(FirstLine(folder / "cpu.cfs_quota_us"));
  std::istringstream period_line(FirstLine(folder / "cpu.cfs_period_us"));
  double quota = 0, period = 0;
  if (!(quota_line >> quota && period_line >> period)) return std::nullopt;
  if (!(quota > 0 && period > 0)) return std::nullopt;  // -1: no limit
  return quota / period;
}

std::optional<uint64_t> MemoryOf(const fs::path& file) {
  std::istringstream line(FirstLine(file));
  uint64_t bytes = 0;
  if (!(line >> bytes) || bytes >= kNoMemoryLimit) return std::nullopt;  // "max" is no number
  return bytes;
}

}  // namespace

std::optional<double> CpuQuota(const std::string& root) {
  const std::optional<Group> group = FindGroup(root, "cpu");
  if (!group) return std::nullopt;
  return LeastAbove<double>(*group, group->version2 ? QuotaVersion2 : QuotaVersion1);
}

std::optional<uint64_t> MemoryLimit(const std::string& root) {
  const std::optional<Group> group = FindGroup(root, "memory");
  if (!group) return std::nullopt;
  const char* name = group->version2 ? "memory.max" : "memory.limit_in_bytes";
  return LeastAbove<uint64_t>(*group,
                              [name](const fs::path& folder) { return MemoryOf(folder / name); });
}

}  // namespace attest::report
