// SPDX-License-Identifier: Apache-2.0
//
// attest: reads the command line, runs one command, turns its end into an exit code. Unknown words
// are reported here, with the nearest known one.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "harness/cli/command.h"
#include "harness/cli/exit_code.h"
#include "harness/core/words.h"
#include "harness/report/environment.h"

namespace attest::cli {
namespace {

constexpr const char* kFooter = R"(Examples:
  attest list
  attest run --suite smoke --out smoke.json
  attest verify --suite hostile --require BACKEND
  attest run --seq 128-4096*2 --heads 12 --head-size 64 --causal full,causal --out r.json

Exit codes: 0 all verified | 1 a result is wrong, vacuous, crashed, timed out or failed | 2 usage |
3 the suite itself failed | 4 a backend is slower than before | 5 nothing was verified, or a --require
was not met | 130 interrupted)";

std::string VersionLine() {
  const report::Build build = report::DescribeBuild();
  return "attest " + build.version + " (commit " +
         (build.commit.empty() ? "unknown" : build.commit) + (build.dirty ? ", modified)" : ")");
}

std::vector<std::string> OptionNames(const CLI::App& parser) {
  std::vector<std::string> names;
  for (const CLI::Option* option : parser.get_options()) names.push_back(option->get_name());
  return names;
}

bool TakesWords(const CLI::App& parser) {
  const std::vector<const CLI::Option*> options = parser.get_options();
  return std::any_of(options.begin(), options.end(),
                     [](const CLI::Option* option) { return option->get_positional(); });
}

// Too many to list them all.
void RefuseUnknownOption(const CLI::App& parser) {
  if (parser.remaining().empty()) return;
  const std::string word = parser.remaining().front();
  const std::string name = word.substr(0, word.find('='));
  const std::string command = "attest " + parser.get_name();
  if (!word.starts_with('-'))
    throw std::invalid_argument(command + " takes " +
                                (TakesWords(parser) ? "no more" : "options only") + ", what is '" +
                                word + "'?");
  throw std::invalid_argument("unknown option '" + name + "' of " + command + ": did you mean '" +
                              NearestWord(name, OptionNames(parser)) + "'? (" + command +
                              " --help lists all)");
}

void RefuseUnknownCommand(CLI::App& app, const std::vector<Command>& commands) {
  if (app.remaining().empty()) return;
  const std::string word = app.remaining().front();
  std::vector<std::string> known =
      word.starts_with('-') ? OptionNames(app) : std::vector<std::string>();
  for (const Command& command : commands) known.push_back(command.parser->get_name());
  throw std::invalid_argument(
      UnknownWord(word.starts_with('-') ? "option" : "command", word, known));
}

int Fail(int code, const std::string& message) {
  std::fprintf(stderr, "attest: %s\n", message.c_str());
  return code;
}

int Run(CLI::App& app, const std::vector<Command>& commands, int argc, char** argv) {
  app.parse(argc, argv);
  for (const Command& command : commands) {
    if (!command.parser->parsed()) continue;
    RefuseUnknownOption(*command.parser);
    return command.run();
  }
  RefuseUnknownCommand(app, commands);
  std::fputs(app.help().c_str(), stderr);
  return Fail(kUsageError, "a command is missing");
}

int Main(int argc, char** argv) {
  CLI::App app("Measures self-attention backends and says whether the numbers can be believed.",
               "attest");
  app.set_version_flag("--version", VersionLine());
  app.footer(kFooter);
  const std::vector<Command> commands = {
      AddCompare(app), AddCompletion(app), AddDoctor(app), AddExplain(app), AddExport(app),
      AddList(app),    AddMerge(app),      AddRun(app),    AddSchema(app),  AddVerify(app)};
  // Unknown words are ours to report: see above.
  app.allow_extras();
  for (const Command& command : commands) command.parser->allow_extras();
  try {
    return Run(app, commands, argc, argv);
  } catch (const CLI::Success& end) {  // --help, --version
    return app.exit(end);
  } catch (const CLI::ParseError& error) {
    return Fail(kUsageError, error.what());
  } catch (const std::invalid_argument& error) {
    return Fail(kUsageError, error.what());
  } catch (const std::exception& error) {
    return Fail(kSuiteError, error.what());
  }
}

}  // namespace
}  // namespace attest::cli

int main(int argc, char** argv) { return attest::cli::Main(argc, argv); }
