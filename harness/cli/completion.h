// SPDX-License-Identifier: Apache-2.0
//
// What a shell can complete after `attest`, read from the option tree, and the script that does it.
#ifndef ATTEST_HARNESS_CLI_COMPLETION_H_
#define ATTEST_HARNESS_CLI_COMPLETION_H_

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace attest::cli {

struct OptionWords {
  std::vector<std::string> names;  // "-o", "--out"
  std::string description;
  bool takes_value = false;
  std::vector<std::string> values;  // that it can have; empty = any, files are offered
};
struct CommandWord {
  std::string name, description;  // the name of the program itself is empty
  std::vector<OptionWords> options;
  std::vector<std::string> values;  // of a word without dashes; empty = files
};

// The program's own options first, then those of each command.
std::vector<CommandWord> CommandWords(const CLI::App& app);

// Throws std::invalid_argument for a shell that is none of bash, fish, zsh.
std::string CompletionScript(const std::vector<CommandWord>& commands, const std::string& shell);

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_COMPLETION_H_
