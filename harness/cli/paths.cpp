// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/paths.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "harness/core/words.h"

namespace attest::cli {
namespace fs = std::filesystem;

std::string ExecutablePath() { return fs::read_symlink("/proc/self/exe").string(); }

std::vector<std::string> Arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string word; std::getline(file, word, '\0');) arguments.push_back(word);
  return arguments;
}

std::string WorkerPath() {
  const fs::path path = fs::path(ExecutablePath()).parent_path() / "attest-worker";
  if (!fs::exists(path))
    throw std::runtime_error("no " + path.string() +
                             ": build or install attest-worker beside attest");
  return path.string();
}

std::vector<std::string> PluginDirectories(const std::vector<std::string>& given) {
  std::vector<std::string> directories = given;
  if (const char* list = std::getenv("ATTEST_BACKEND_PATH"))
    for (const std::string& directory : Split(list, ':'))
      if (!directory.empty()) directories.push_back(directory);
  const fs::path own = fs::path(ExecutablePath()).parent_path().parent_path() / "lib" / "attest";
  if (fs::is_directory(own)) directories.push_back(own.string());
  return directories;
}

std::string CacheDirectory() {
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (const std::string cache = set("XDG_CACHE_HOME"); !cache.empty()) return cache + "/attest";
  const std::string home = set("HOME");
  return home.empty() ? "" : home + "/.cache/attest";
}

}  // namespace attest::cli
