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

std::vector<report::Study> RunStudies(const RunOptions& options, const judge::Settings& settings) {
  std::vector<report::Study> studies;
  if (!options.suite.starts_with(kPrefix) || !GivenAxes(options).empty() || !options.shard.empty())
    return studies;
  const std::string name = options.suite.substr(kPrefix.size());
  judge::Settings once = settings;  // figures do not depend on threads
  once.fewer_threads.clear();
  judge::Field field = judge::Assemble(once, {});
  for (judge::Contender& contender : field.contenders) {
    report::Study study = explain::RunStudy(name, contender, options.seed, settings.threads);
    if (!study.sentence.empty()) studies.push_back(std::move(study));  // the table says why not
  }
  return studies;
}

void PrintStudies(const std::vector<report::Study>& studies, std::FILE* stream) {
  for (const report::Study& study : studies) fmt::print(stream, "\n{}", explain::StudyText(study));
  if (!studies.empty())
    fmt::print(stream, "A picture: attest explain --study {0} --weights {0}.svg\n",
               studies.front().name);
}

}  // namespace attest::cli
