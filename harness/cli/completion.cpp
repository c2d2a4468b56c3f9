// SPDX-License-Identifier: Apache-2.0
//
// attest completion: scripts for bash, zsh and fish, made from the commands and options that the
// program has. Nothing in them is listed by hand.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

#include "harness/cli/command.h"
#include "harness/cli/completion.h"
#include "harness/cli/exit_code.h"
#include "harness/core/words.h"
#include "harness/report/files.h"

namespace attest::cli {

Command AddCompletion(CLI::App& app) {
  CLI::App* parser =
      app.add_subcommand("completion", "the completion script of a shell, on stdout");
  const auto shell = std::make_shared<std::string>();
  parser->add_option("SHELL", *shell, "one of bash, fish, zsh");
  parser->footer(
      "Examples:\n"
      "  source <(attest completion bash)\n"
      "  attest completion zsh > \"${fpath[1]}/_attest\"\n"
      "  attest completion fish > ~/.config/fish/completions/attest.fish");
  return {parser, [&app, shell] {
            const std::string text = CompletionScript(CommandWords(app), *shell);
            report::WriteAll(fileno(stdout), text, "stdout");
            return kAllVerified;
          }};
}

}  // namespace attest::cli
