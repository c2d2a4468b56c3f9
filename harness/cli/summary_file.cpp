// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/summary_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>

#include "harness/report/files.h"

namespace attest::cli {

std::string WriteSummaryFile(const std::string& path,
                             const std::function<std::string(size_t)>& make) {
  if (path != "auto") {
    report::WriteAtomically(path, make(0));
    return "";
  }
  const char* target = std::getenv("GITHUB_STEP_SUMMARY");
  if (target == nullptr || *target == '\0')
    return "--summary auto: GITHUB_STEP_SUMMARY is not set, no summary is written";
  // Earlier commands of the step may have written to it.
  const Descriptor file = report::Open(target, O_WRONLY | O_CREAT | O_APPEND, "append to");
  struct stat status {};
  const bool known = fstat(file.get(), &status) == 0 && status.st_size > 0;
  report::WriteAll(file.get(), make(known ? static_cast<size_t>(status.st_size) : 0), target);
  return "";
}

}  // namespace attest::cli
