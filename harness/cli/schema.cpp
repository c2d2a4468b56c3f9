// SPDX-License-Identifier: Apache-2.0
//
// attest schema: the JSON Schema of a report, on stdout.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "harness/cli/command.h"
#include "harness/cli/exit_code.h"
#include "harness/report/json.h"

namespace attest::cli {

Command AddSchema(CLI::App& app) {
  CLI::App* parser =
      app.add_subcommand("schema", "the JSON Schema (draft 7) of a report, on stdout");
  parser->footer("Example:\n  attest schema > report.schema.json");
  return {parser, [] {
            const std::string_view text = report::SchemaText();
            const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
                                 std::fflush(stdout) == 0;
            if (!written) throw std::runtime_error("cannot write the schema to stdout");
            return kAllVerified;
          }};
}

}  // namespace attest::cli
