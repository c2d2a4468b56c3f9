// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/environment.h"

#include <algorithm>

namespace attest::judge {

std::vector<std::string> Changed(const char* const* variables, const Environment& changes) {
  std::vector<std::string> changed;
  for (; *variables != nullptr; ++variables) {
    const std::string variable = *variables;
    const std::string name = variable.substr(0, variable.find('='));
    const bool kept = std::none_of(changes.begin(), changes.end(),
                                   [&](const auto& change) { return change.first == name; });
    if (kept) changed.push_back(variable);
  }
  for (const auto& [name, value] : changes)
    if (value) changed.push_back(name + "=" + *value);
  return changed;
}

}  // namespace attest::judge
