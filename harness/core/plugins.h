// SPDX-License-Identifier: Apache-2.0
//
// Finding plugins: directories are scanned, nothing is loaded.
#ifndef ATTEST_HARNESS_CORE_PLUGINS_H_
#define ATTEST_HARNESS_CORE_PLUGINS_H_

#include <string>
#include <vector>

namespace attest {

struct PluginFile {
  std::string name;  // <backend> of attest_<backend>[.LEVEL].so
  std::string path;
  std::string level;   // "x86-64-v4", or "" for a plugin that is built once
  std::string reject;  // why it is not to be loaded ("a second plugin named 'x': PATH is taken"),
                       // "" = load it
};

// attest_*.so of each directory, in order, then by name. Of a backend's ISA levels in one directory
// the highest that the CPU runs is taken (`isa` = "": automatic; else that level or lower is the
// limit), the others are left out; where the CPU runs none, the row is kept with the reason. A
// later plugin of a name that is taken gets a `reject`. Throws std::invalid_argument for a
// directory that is not there, or an unknown level.
std::vector<PluginFile> FindPlugins(const std::vector<std::string>& directories,
                                    const std::string& isa);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_PLUGINS_H_
