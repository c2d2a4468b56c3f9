// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/read_reports.h"

#include <stdexcept>

#include "harness/report/files.h"
#include "harness/report/json.h"

namespace attest::cli {

report::Report ReadReport(const std::string& path) {
  try {
    return report::ReadJson(report::ReadFile(path), path);
  } catch (const std::runtime_error& error) {
    throw std::invalid_argument(error.what());
  }
}

std::vector<report::Report> ReadReports(const std::vector<std::string>& paths) {
  std::vector<report::Report> reports;
  for (const std::string& path : paths) reports.push_back(ReadReport(path));
  return reports;
}

void CheckOutput(const std::string& path) {
  try {
    report::CheckWritable(path);
  } catch (const std::runtime_error& error) {
    throw std::invalid_argument(error.what());
  }
}

}  // namespace attest::cli
