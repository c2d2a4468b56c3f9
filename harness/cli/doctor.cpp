// SPDX-License-Identifier: Apache-2.0
//
// attest doctor: what on this machine makes timings noisy, with the command that fixes it. Changes
// nothing.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "harness/cli/command.h"
#include "harness/cli/exit_code.h"
#include "harness/report/environment.h"
#include "harness/report/noise_sources.h"

namespace attest::cli {
namespace {

struct DoctorOptions {
  std::string format = "text";
  double seconds = 1;
};

int Examine(const DoctorOptions& chosen) {
  const report::Machine machine = report::DescribeMachine();
  report::NoiseOptions options;
  options.cpus = machine.limits.affinity;
  options.threads = static_cast<int>(options.cpus.size());
  options.wait = [&] {
    std::this_thread::sleep_for(std::chrono::duration<double>(chosen.seconds));
  };
  options.variable = [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  };
  const auto sources = report::FindNoiseSources(options);
  const std::string text = chosen.format == "json" ? report::NoiseSourcesJson(sources)
                                                   : report::NoiseSourcesText(sources);
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0)
    throw std::runtime_error("cannot write to stdout");
  return kAllVerified;
}

}  // namespace

Command AddDoctor(CLI::App& app) {
  CLI::App* parser = app.add_subcommand(
      "doctor", "what on this machine makes timings noisy, and what fixes it; changes nothing");
  auto options = std::make_shared<DoctorOptions>();
  parser->add_option("--format", options->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  parser->add_option("--seconds", options->seconds, "how long to watch the machine")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  parser->footer("Examples:\n  attest doctor\n  attest doctor --format json --seconds 10");
  return {parser, [options] { return Examine(*options); }};
}

}  // namespace attest::cli
