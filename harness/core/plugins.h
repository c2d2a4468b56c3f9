// SPDX-License-Identifier: Apache-2.0
//
// Finding backends: directories are scanned, nothing is loaded or started.
#ifndef ATTEST_HARNESS_CORE_PLUGINS_H_
#define ATTEST_HARNESS_CORE_PLUGINS_H_

#include <string>
#include <vector>

namespace attest {

struct PluginFile {
  std::string name;  // <backend> of attest_<backend>[.LEVEL].so or attest_<backend>.worker, and
                     // -LABEL behind it where its directory has one
  std::string path;
  std::string level;   // "x86-64-v4", or "" for a plugin that is built once
  std::string reject;  // why it is not to be loaded ("a second plugin named 'x': PATH is taken"),
                       // "" = load it
  bool on_request = false;  // of a folder `peers`: only used where somebody asks for it
  std::string label;        // of the directory: "" = none
};

// A directory of plugins as it is given: DIR, or LABEL=DIR for another build of backends that are
// there already, which are then called BACKEND-LABEL. A label has letters, digits, '_' and '.'; a
// directory of that very name is no label.
struct PluginDirectory {
  std::string label, path;
};
PluginDirectory ParsePluginDirectory(const std::string& text);

// Whether the file is a program that speaks the worker protocol itself (PROTOCOL.md), not a library
// for attest-worker.
bool IsWorkerProgram(const std::string& path);

// attest_*.so and attest_*.worker of each directory (as ParsePluginDirectory reads it) and of its
// folder `peers`, where it has one, in order, then by name. Of a backend's ISA levels in one
// directory the highest that the CPU runs is taken (`isa` = "": automatic; else that level or lower
// is the limit), the others are left out; where the CPU runs none, the row is kept with the reason.
// A later plugin of a name that is taken gets a `reject`. Throws std::invalid_argument for a
// directory that is not there, or an unknown level.
std::vector<PluginFile> FindPlugins(const std::vector<std::string>& directories,
                                    const std::string& isa);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_PLUGINS_H_
