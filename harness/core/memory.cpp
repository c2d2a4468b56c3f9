// SPDX-License-Identifier: Apache-2.0
#include "harness/core/memory.h"

#include <fstream>
#include <string>

namespace attest {

double AvailableMemoryBytes() {
  std::ifstream file("/proc/meminfo");
  for (std::string key; file >> key;) {
    double kibibytes = 0;
    if (key == "MemAvailable:" && file >> kibibytes) return kibibytes * 1024;
    file.ignore(1 << 20, '\n');
  }
  return 0;
}

}  // namespace attest
