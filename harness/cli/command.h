// SPDX-License-Identifier: Apache-2.0
//
// The commands of `attest`. Each adds itself to the command line and says what to do when it is
// chosen.
#ifndef ATTEST_HARNESS_CLI_COMMAND_H_
#define ATTEST_HARNESS_CLI_COMMAND_H_

#include <functional>

namespace CLI {
class App;
}

namespace attest::cli {

struct Command {
  CLI::App* parser = nullptr;
  // The exit code. Throws std::invalid_argument for what the user can put right (exit code 2), any
  // other exception where the suite itself failed (3).
  std::function<int()> run;
};

Command AddCompare(CLI::App& app);
Command AddCompletion(CLI::App& app);
Command AddDoctor(CLI::App& app);
Command AddExplain(CLI::App& app);
Command AddExport(CLI::App& app);
Command AddList(CLI::App& app);
Command AddMerge(CLI::App& app);
Command AddRun(CLI::App& app);
Command AddSchema(CLI::App& app);
Command AddVerify(CLI::App& app);

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_COMMAND_H_
