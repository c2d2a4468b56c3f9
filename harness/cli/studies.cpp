// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/studies.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/explain/study.h"
#include "harness/judge/backends.h"

namespace attest::cli {
namespace {

constexpr std::string_view kPrefix = "study-";

}  // namespace

void PrintStudies(const RunOptions& options, const judge::Settings& settings, std::FILE* stream) {
  if (!options.suite.starts_with(kPrefix) || !GivenAxes(options).empty() || !options.shard.empty())
    return;
  const std::string name = options.suite.substr(kPrefix.size());
  judge::Field field = judge::Assemble(settings, {});
  for (judge::Contender& contender : field.contenders) {
    const explain::Study study = explain::RunStudy(name, contender, options.seed, settings.threads);
    if (study.sentence.empty()) continue;  // the sweep's table says why
    fmt::print(stream, "\n{}", explain::StudyText(study));
  }
  fmt::print(stream, "A picture: attest explain --study {} --weights {}.svg\n", name, name);
}

}  // namespace attest::cli
