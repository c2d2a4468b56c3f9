// SPDX-License-Identifier: Apache-2.0
//
// Where a sweep stands, on stderr: one line that is written over on a terminal, a line for each
// cell elsewhere.
#ifndef ATTEST_HARNESS_CLI_PROGRESS_H_
#define ATTEST_HARNESS_CLI_PROGRESS_H_

#include <string>

#include "harness/judge/judge.h"

namespace attest::cli {

class ProgressLine {
 public:
  explicit ProgressLine(bool quiet);
  void Show(const judge::Progress& progress);
  // A line of its own, also when quiet.
  void Warn(const std::string& text);
  // Leaves nothing of the line on a terminal.
  void Clear();

 private:
  bool quiet_, terminal_;
  bool shown_ = false;
  size_t last_cell_ = SIZE_MAX;
};

// "12 s", "3:05", "1:02:09".
std::string FormatDuration(double seconds);
// Whether text on this descriptor is to be coloured: `choice` is auto, always or never.
bool UseColor(const std::string& choice, int descriptor);

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_PROGRESS_H_
