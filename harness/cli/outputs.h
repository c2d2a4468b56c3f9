// SPDX-License-Identifier: Apache-2.0
//
// What a run leaves behind: the journal of finished cells while it goes on, then the report and its
// summary. Unwritable paths are found before the sweep.
#ifndef ATTEST_HARNESS_CLI_OUTPUTS_H_
#define ATTEST_HARNESS_CLI_OUTPUTS_H_

#include <optional>
#include <string>
#include <vector>

#include "harness/report/journal.h"
#include "harness/report/model.h"

namespace attest::cli {

class Outputs {
 public:
  // `out`: "" = no report, "-" = stdout. `summary`: "" = none, "auto" = the CI service's. Throws
  // std::invalid_argument with the path and the system's words for what cannot be written.
  Outputs(std::string out, std::string summary);

  bool to_file() const { return !out_.empty() && out_ != "-"; }
  // The report is data on stdout: nothing else may be written there.
  bool to_stdout() const { return out_ == "-"; }

  // Begins the journal, where there is a report file. With `resume` and the journal of a killed
  // run, takes its date, continues it and returns its cells. Throws std::invalid_argument for such
  // a journal without `resume`, and for one made with other options.
  std::vector<report::CellRecord> OpenJournal(bool resume, const report::Policy& policy,
                                              std::string& date);
  void Append(const report::CellRecord& cell);

  // The report, in one step; the journal is then removed.
  void WriteReport(const report::Report& report);
  // "" or why nothing was written.
  std::string WriteSummary(const std::string& text) const;

 private:
  std::string out_, summary_;
  std::optional<report::Journal> journal_;
};

}  // namespace attest::cli

#endif  // ATTEST_HARNESS_CLI_OUTPUTS_H_
