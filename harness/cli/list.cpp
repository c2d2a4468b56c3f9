// SPDX-License-Identifier: Apache-2.0
//
// attest list: the backends of this machine with their devices, variants and contracts, why one is
// missing, and the suites.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <memory>

#include "harness/cli/command.h"
#include "harness/cli/exit_code.h"
#include "harness/cli/options.h"
#include "harness/cli/settings.h"
#include "harness/core/suites.h"
#include "harness/report/format.h"

namespace attest::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string Library(const report::Backend& backend) {
  return backend.library_version.empty() ? backend.library
                                         : backend.library + " " + backend.library_version;
}

std::string BackendTable(const std::vector<report::Backend>& backends) {
  Rows rows;
  for (const report::Backend& backend : backends) {
    const bool loaded = backend.state == report::BackendState::kLoaded;
    rows.push_back({backend.name, std::string(report::BackendStateName(backend.state)),
                    Library(backend), backend.runtime,
                    loaded ? backend.path : report::OneLine(backend.reason)});
    for (const report::Device& device : backend.devices)
      rows.push_back({"", fmt::format("@{}", device.index), device.name, "", device.driver});
  }
  return report::LayOut({{"backend"}, {"state"}, {"library"}, {"threads by"}, {"path, or why not"}},
                        rows);
}

// "f32: accumulate f32, operands none, ..." is too long for a table: what differs from plain
// accumulation.
std::string ContractText(const report::Contract& contract) {
  std::string text = fmt::format("{} in {}", contract.dtype, contract.accumulate);
  if (contract.operands != "none") text += ", operands " + contract.operands;
  if (contract.scores != "none") text += ", scores " + contract.scores;
  if (contract.probabilities != "none") text += ", P " + contract.probabilities;
  if (contract.projections != "none") text += ", projections " + contract.projections;
  if (contract.exp_relative_error > 0)
    text += fmt::format(", exp {:.1e}", contract.exp_relative_error);
  if (contract.nondeterministic) text += ", reruns differ";
  return text;
}

std::string VariantTable(const std::vector<report::Backend>& backends) {
  Rows rows;
  for (const report::Backend& backend : backends)
    for (const report::Variant& variant : backend.variants) {
      std::vector<std::string> contracts;
      for (const report::Contract& contract : variant.contracts)
        contracts.push_back(ContractText(contract));
      rows.push_back({ResultLabel(backend.name, variant.name, 0),
                      fmt::format("{}", fmt::join(contracts, "; ")), variant.description});
    }
  return report::LayOut({{"variant"}, {"arithmetic"}, {"algorithm"}}, rows);
}

std::string SuiteTable() {
  Rows rows;
  for (const Suite& suite : AllSuites())
    rows.push_back(
        {suite.name, std::to_string(ExpandSweep(suite.blocks, {}, 1).size()), suite.description});
  return report::LayOut({{"suite"}, {"cells", report::Align::kRight}, {"what"}}, rows);
}

int List(const RunOptions& options) {
  judge::Settings settings = SettingsOf(options, false);
  settings.with_peers = true;
  const std::vector<report::Backend> backends = judge::ListBackends(settings, {});
  fmt::print("{}\n", BackendTable(backends));
  fmt::print("{}\n", VariantTable(backends));
  fmt::print("{}", SuiteTable());
  return kAllVerified;
}

}  // namespace

Command AddList(CLI::App& app) {
  CLI::App* parser = app.add_subcommand(
      "list",
      "backends with their devices, variants and contracts, why one is missing, and suites");
  const auto options = std::make_shared<RunOptions>();
  AddBackendPathOption(*parser, options->backend_paths);
  parser->footer("Example:\n  attest list --backend-path ~/my-backend/build");
  return {parser, [options] { return List(*options); }};
}

}  // namespace attest::cli
