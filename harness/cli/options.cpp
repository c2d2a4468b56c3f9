// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <limits>

#include "harness/core/suites.h"

namespace attest::cli {
namespace {

constexpr const char* kSweep = "Sweep";
constexpr const char* kBackends = "Backends";
constexpr const char* kMeasuring = "Measuring";
constexpr const char* kOutput = "Output";

const CLI::Range kCount(1, std::numeric_limits<int>::max());
// Up to a day, so that a typing error does not wait for ever. CLI::Range would let NaN through.
const CLI::Validator kSeconds(
    [](const std::string& text) {
      double seconds = 0;
      const bool good =
          CLI::detail::lexical_cast(text, seconds) && seconds >= 1e-6 && seconds <= 86400;
      return good ? std::string() : "'" + text + "' is not between 1e-6 and 86400 seconds";
    },
    "SECONDS");
const CLI::Validator kSecondsOrNone(
    [](const std::string& text) { return text == "0" ? std::string() : kSeconds(text); },
    "SECONDS");
// CLI11 reads -1 as the largest unsigned number.
const CLI::Validator kDigits(
    [](const std::string& text) {
      const bool good = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
      return good ? std::string() : "'" + text + "' is not a number of at least 0";
    },
    "");

template <class Value>
CLI::Option* Add(CLI::App& parser, const char* group, const std::string& name, Value& value,
                 const std::string& description) {
  return parser.add_option(name, value, description)->group(group);
}

void AddSweep(CLI::App& parser, RunOptions& options) {
  std::vector<std::string> suites;
  for (const Suite& suite : AllSuites()) suites.push_back(suite.name);
  Add(parser, kSweep, "--suite", options.suite, fmt::format("one of {}", fmt::join(suites, ", ")))
      ->capture_default_str();
  for (const AxisInfo& axis : AllAxes())
    Add(parser, kSweep, "--" + axis.name, options.axes[axis.name], axis.description)->join(',');
  Add(parser, kSweep, "--seed", options.seed, "seed of the input values")
      ->capture_default_str()
      ->check(kDigits);
  Add(parser, kSweep, "--shard", options.shard,
      "i/n: only the i-th of n parts of the sweep; attest merge puts them together");
  parser.add_flag("--list-cells", options.list_cells, "print the names of the cells and end")
      ->group(kSweep);
  Add(parser, kSweep, "--config", options.config, "TOML file of options: seq = \"128,512\"");
  Add(parser, kSweep, "--from-report", options.from_report,
      "take the options that a report was made with");
}

void AddBackends(CLI::App& parser, RunOptions& options) {
  Add(parser, kBackends, "--backend", options.backends,
      "BACKEND[:VARIANT][@DEVICE], '*' for any; repeatable; default all")
      ->expected(1)
      ->take_all();
  AddBackendPathOption(parser, options.backend_paths);
  Add(parser, kBackends, "--require", options.require,
      "BACKEND[:COUNT]: exit code 5 unless so many of its results are verified; repeatable")
      ->expected(1)
      ->take_all();
  Add(parser, kBackends, "--isa", options.isa,
      "highest ISA level of plugins: x86-64-v2, x86-64-v3, x86-64-v4");
}

void AddMeasuring(CLI::App& parser, RunOptions& options) {
  Add(parser, kMeasuring, "--rounds", options.rounds, "rounds of measuring")
      ->capture_default_str()
      ->check(kCount);
  Add(parser, kMeasuring, "--min-time", options.min_time_seconds, "seconds of one round")
      ->capture_default_str()
      ->check(kSeconds);
  Add(parser, kMeasuring, "--threads", options.threads,
      "threads of host backends; default: the CPUs it may use. Several, 1,2 or 1-8*2: with the "
      "fewer ones, too, in the same rounds, as BACKEND-1t, to report how each scales")
      ->join(',');
  Add(parser, kMeasuring, "--timeout", options.timeout_seconds, "seconds until a call is given up")
      ->capture_default_str()
      ->check(kSeconds);
  Add(parser, kMeasuring, "--max-cell-seconds", options.max_cell_seconds,
      "seconds for one result; slower ones get 3 rounds, or are skipped")
      ->capture_default_str()
      ->check(kSeconds);
  Add(parser, kMeasuring, "--shrink-seconds", options.shrink_seconds,
      "seconds, after the sweep, for the smallest failing problem of a failed result, 10 times "
      "that for all; 0 = off")
      ->capture_default_str()
      ->check(kSecondsOrNone);
  Add(parser, kMeasuring, "--cache", options.cache, "warm: same buffers again; cold: rotating ones")
      ->capture_default_str()
      ->check(CLI::IsMember({"warm", "cold"}));
  Add(parser, kMeasuring, "--tune", options.tune,
      "sizes of kernels that a backend chooses by measuring: missing: measure and keep those that "
      "no earlier run has, up to 20 s for each head size; kept: use what is kept, else defaults; "
      "never: defaults; default kept, or what ATTEST_TUNE says (1, 0)")
      ->check(CLI::IsMember({"kept", "missing", "never"}));
  parser
      .add_flag_callback(
          "--no-tune", [&options] { options.tune = "never"; }, "the same as --tune never")
      ->group(kMeasuring)
      ->excludes("--tune");
  Add(parser, kMeasuring, "--checks", options.checks,
      "quick: memory, bound, bias, rerun, needle and count; all: NaN at hidden keys, one head by "
      "itself, and inputs changed in ways with a known effect, too; default: quick for run, all "
      "for verify")
      ->check(CLI::IsMember({"quick", "all"}));
  Add(parser, kMeasuring, "--baseline", options.baseline,
      "BACKEND:VARIANT that speed-ups are against")
      ->capture_default_str();
}

void AddOutput(CLI::App& parser, RunOptions& options) {
  Add(parser, kOutput, "--out", options.out, "file of the report; '-' is stdout; default none");
  parser.add_flag("--resume", options.resume, "continue a killed run from its OUT.journal")
      ->group(kOutput);
  parser
      .add_flag("--compare-rules", options.compare_rules,
                "also say what other projects' tests would have accepted")
      ->group(kOutput);
  Add(parser, kOutput, "--summary", options.summary,
      "file of a Markdown summary; 'auto' is where the CI service wants it (GITHUB_STEP_SUMMARY)");
  parser
      .add_flag("--redact", options.redact,
                "no host name, user name, path or command line in the report: to be published")
      ->group(kOutput);
  parser.add_flag("--quiet", options.quiet, "no progress")->group(kOutput);
  Add(parser, kOutput, "--color", options.color,
      "auto (on a terminal, unless NO_COLOR is set), always or never")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "always", "never"}));
}

}  // namespace

void AddBackendPathOption(CLI::App& parser, std::vector<std::string>& directories) {
  Add(parser, kBackends, "--backend-path", directories,
      "directory with plugins, before ATTEST_BACKEND_PATH and the built-in one; LABEL=DIR: another "
      "build of known backends, which are then called BACKEND-LABEL; repeatable")
      ->expected(1)
      ->take_all();
}

void AddRunOptions(CLI::App& parser, RunOptions& options) {
  AddSweep(parser, options);
  AddBackends(parser, options);
  AddMeasuring(parser, options);
  AddOutput(parser, options);
}

Axes GivenAxes(const RunOptions& options) {
  Axes given;
  for (const auto& [name, text] : options.axes)
    if (!text.empty()) given[name] = text;
  return given;
}

}  // namespace attest::cli
