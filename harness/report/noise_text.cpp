// SPDX-License-Identifier: Apache-2.0
//
// Sources of noise in words, for a person and for a program.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "harness/report/noise_sources.h"

namespace attest::report {

std::string NoiseStateName(NoiseState state) {
  return state == NoiseState::kQuiet ? "quiet" : state == NoiseState::kNoisy ? "noisy" : "unknown";
}

std::string NoiseSourcesText(const std::vector<NoiseSource>& sources) {
  std::string text;
  size_t noisy = 0;
  for (const NoiseSource& source : sources) {
    text += fmt::format("{:8} {:9} {}\n", NoiseStateName(source.state), source.name, source.found);
    if (!source.fix.empty()) text += fmt::format("{:19}fix: {}\n", "", source.fix);
    noisy += source.state == NoiseState::kNoisy;
  }
  return text + fmt::format("{} of {} sources of noise found; nothing was changed\n", noisy,
                            sources.size());
}

std::string NoiseSourcesJson(const std::vector<NoiseSource>& sources) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const NoiseSource& source : sources)
    json.push_back({{"name", source.name},
                    {"state", NoiseStateName(source.state)},
                    {"found", source.found},
                    {"fix", source.fix}});
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace attest::report
