// SPDX-License-Identifier: Apache-2.0
#include "harness/core/plugins.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <map>
#include <stdexcept>

#include "harness/core/words.h"

namespace attest {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kPrefix = "attest_", kSuffix = ".so", kWorkerSuffix = ".worker";
constexpr const char* kPeers = "peers";

// Levels from low to high. The names must be literals for the compiler's check.
const std::vector<std::string>& Levels() {
  static const std::vector<std::string> levels = {"x86-64-v2", "x86-64-v3", "x86-64-v4"};
  return levels;
}

bool CpuRuns(const std::string& level) {
#if defined(__x86_64__)
  if (level == "x86-64-v2") return __builtin_cpu_supports("x86-64-v2");
  if (level == "x86-64-v3") return __builtin_cpu_supports("x86-64-v3");
  if (level == "x86-64-v4") return __builtin_cpu_supports("x86-64-v4");
#endif
  return level.empty();
}

// Place in Levels(); -1 for a plugin that is built once.
int Rank(const std::string& level) {
  const auto found = std::find(Levels().begin(), Levels().end(), level);
  return found == Levels().end() ? -1 : static_cast<int>(found - Levels().begin());
}

// "attest_eigen.x86-64-v4.so" or "attest_numpy.worker" in its parts; false for another file.
bool ParseName(const fs::path& path, PluginFile& file) {
  std::string name = path.filename().string();
  const std::string_view suffix = IsWorkerProgram(name) ? kWorkerSuffix : kSuffix;
  if (!name.starts_with(kPrefix) || !name.ends_with(suffix)) return false;
  if (name.size() <= kPrefix.size() + suffix.size()) return false;
  name = name.substr(kPrefix.size(), name.size() - kPrefix.size() - suffix.size());
  const size_t dot = name.find('.');
  if (dot != std::string::npos) file.level = name.substr(dot + 1);
  file.name = name.substr(0, dot);
  file.path = path.string();
  return !file.name.empty();
}

std::vector<PluginFile> Scan(const std::string& directory) {
  std::error_code error;
  fs::directory_iterator entries(directory, error);
  if (error)
    throw std::invalid_argument(
        fmt::format("cannot read the backend directory {}: {}", directory, error.message()));
  std::vector<PluginFile> files;
  for (const fs::directory_entry& entry : entries)
    if (PluginFile file; ParseName(entry.path(), file)) {
      file.on_request = entry.path().parent_path().filename() == kPeers;
      files.push_back(std::move(file));
    }
  std::sort(files.begin(), files.end(), [](const PluginFile& a, const PluginFile& b) {
    return std::pair(a.name, Rank(a.level)) < std::pair(b.name, Rank(b.level));
  });
  return files;
}

// The best of one backend's files, in rising order of level.
PluginFile Choose(const std::vector<PluginFile>& files, const std::string& isa) {
  const int limit = isa.empty() ? static_cast<int>(Levels().size()) : Rank(isa);
  for (auto file = files.rbegin(); file != files.rend(); ++file)
    if (Rank(file->level) <= limit && (file->level.empty() || CpuRuns(file->level))) return *file;
  PluginFile rejected = files.front();
  rejected.reject = isa.empty()
                        ? fmt::format("this CPU does not run {}, the lowest level it was built for",
                                      rejected.level)
                        : fmt::format("it was not built for {} or lower", isa);
  return rejected;
}

// Each directory, and behind it its folder of peers.
std::vector<PluginDirectory> WithPeers(const std::vector<std::string>& directories) {
  std::vector<PluginDirectory> all;
  for (const std::string& text : directories) {
    const PluginDirectory directory = ParsePluginDirectory(text);
    all.push_back(directory);
    if (const fs::path peers = fs::path(directory.path) / kPeers; fs::is_directory(peers))
      all.push_back({directory.label, peers.string()});
  }
  return all;
}

}  // namespace

PluginDirectory ParsePluginDirectory(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || fs::is_directory(text)) return {"", text};
  const std::string label = text.substr(0, equals);
  const bool is_label = std::all_of(label.begin(), label.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.';
  });
  return is_label ? PluginDirectory{label, text.substr(equals + 1)} : PluginDirectory{"", text};
}

bool IsWorkerProgram(const std::string& path) { return path.ends_with(kWorkerSuffix); }

std::vector<PluginFile> FindPlugins(const std::vector<std::string>& directories,
                                    const std::string& isa) {
  if (!isa.empty() && Rank(isa) < 0)
    throw std::invalid_argument(UnknownWord("ISA level", isa, Levels()));
  if (!isa.empty() && !CpuRuns(isa))
    throw std::invalid_argument(fmt::format("this CPU does not run {}: choose a lower --isa", isa));
  std::vector<PluginFile> chosen;
  std::map<std::string, std::string> taken;  // name -> path
  for (const PluginDirectory& directory : WithPeers(directories)) {
    std::map<std::string, std::vector<PluginFile>> by_name;
    for (PluginFile& file : Scan(directory.path)) by_name[file.name].push_back(std::move(file));
    for (const auto& [name, files] : by_name) {
      PluginFile file = Choose(files, isa);
      file.label = directory.label;
      if (!file.label.empty()) file.name += "-" + file.label;
      const auto [first, is_new] = taken.emplace(file.name, file.path);
      if (!is_new && first->second == file.path) continue;  // the same directory twice
      if (!is_new)
        file.reject =
            fmt::format("a second plugin named '{}': {} is taken; LABEL={} calls this one {}-LABEL",
                        file.name, first->second, directory.path, name);
      chosen.push_back(std::move(file));
    }
  }
  return chosen;
}

}  // namespace attest
