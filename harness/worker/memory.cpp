// SPDX-License-Identifier: Apache-2.0
//
// proc(5): "5" written to clear_refs resets VmHWM; RssShmem is what is mapped of the tensors.
#include "harness/worker/memory.h"

#include <fstream>
#include <string>

namespace attest::worker {
namespace {

uint64_t StatusBytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(key + ":", 0) == 0) return std::stoull(line.substr(key.size() + 1)) * 1024;
  return 0;
}

}  // namespace

void ResetPeakMemory() { std::ofstream("/proc/self/clear_refs") << "5" << std::flush; }

uint64_t PeakMemoryBytes() {
  const uint64_t peak = StatusBytes("VmHWM");
  const uint64_t shared = StatusBytes("RssShmem");
  return peak > shared ? peak - shared : 0;
}

}  // namespace attest::worker
