// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/saved_options.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <stdexcept>

#include "harness/core/threads.h"
#include "harness/core/words.h"
#include "harness/report/files.h"
#include "harness/report/json.h"

namespace attest::cli {
namespace {

using Inputs = std::vector<std::string>;
using SavedOptions = std::vector<std::pair<std::string, Inputs>>;

SavedOptions ReadConfig(const std::string& path) {
  SavedOptions saved;
  try {
    for (CLI::ConfigItem& item : CLI::ConfigTOML().from_file(path))
      if (item.name != "++" && item.name != "--")  // CLI11's marks of a section's begin and end
        saved.emplace_back(item.name, std::move(item.inputs));
  } catch (const CLI::Error& error) {
    throw std::invalid_argument(fmt::format("--config {}: {}", path, error.what()));
  }
  return saved;
}

std::string ThreadsOf(const report::Policy& policy) {
  return ThreadsText({static_cast<unsigned>(policy.threads),
                      {policy.fewer_threads.begin(), policy.fewer_threads.end()}});
}

SavedOptions ReadPolicy(const std::string& path) {
  report::Policy policy;
  try {
    policy = report::ReadJson(report::ReadFile(path), path).policy;
  } catch (const std::runtime_error& error) {
    throw std::invalid_argument(fmt::format("--from-report: {}", error.what()));
  }
  SavedOptions saved = {{"suite", {policy.suite}},
                        {"backend", policy.backends},
                        {"backend-path", policy.backend_paths},
                        {"require", policy.require},
                        {"baseline", {policy.baseline}},
                        {"seed", {std::to_string(policy.seed)}},
                        {"rounds", {std::to_string(policy.rounds)}},
                        {"min-time", {fmt::format("{}", policy.min_time_seconds)}},
                        {"threads", {ThreadsOf(policy)}},
                        {"timeout", {fmt::format("{}", policy.timeout_seconds)}},
                        {"max-cell-seconds", {fmt::format("{}", policy.max_cell_seconds)}},
                        {"shrink-seconds", {fmt::format("{}", policy.shrink_seconds)}},
                        {"cache", {policy.cache}},
                        {"checks", {policy.checks}}};
  if (!policy.shard.empty()) saved.push_back({"shard", {policy.shard}});
  if (policy.compare_rules) saved.push_back({"compare-rules", {"true"}});
  if (!policy.tune.empty()) saved.push_back({"tune", {policy.tune}});
  if (!policy.isa.empty()) saved.push_back({"isa", {policy.isa}});
  for (const auto& [name, text] : policy.axes) saved.push_back({name, {text}});
  return saved;
}

void Apply(CLI::App& parser, const SavedOptions& saved, const std::string& source) {
  std::vector<std::string> known;
  for (const CLI::Option* option : parser.get_options()) known.push_back(option->get_single_name());
  for (const auto& [name, inputs] : saved) {
    CLI::Option* option = parser.get_option_no_throw("--" + name);
    if (option == nullptr)
      throw std::invalid_argument(source + ": " + UnknownWord("option", name, known));
    if (option->count() != 0 || inputs.empty()) continue;
    option->add_result(inputs);
    option->run_callback();
  }
}

}  // namespace

void ApplySavedOptions(CLI::App& parser, const RunOptions& options) {
  if (!options.config.empty()) Apply(parser, ReadConfig(options.config), options.config);
  if (!options.from_report.empty())
    Apply(parser, ReadPolicy(options.from_report), options.from_report);
}

}  // namespace attest::cli
