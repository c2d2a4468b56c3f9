// SPDX-License-Identifier: Apache-2.0
//
// The journal beside a report while its sweep runs: a header line, then one JSON line per finished
// cell, each on the disk before the next cell starts. Killing the sweep at any moment costs no
// finished cell.
#ifndef ATTEST_HARNESS_REPORT_JOURNAL_H_
#define ATTEST_HARNESS_REPORT_JOURNAL_H_

#include <string>
#include <vector>

#include "harness/report/files.h"
#include "harness/report/model.h"

namespace attest::report {

// "OUT.journal"
std::string JournalPath(const std::string& report_path);

struct JournalContents {
  Policy policy;                  // of the run that began it
  std::string date;               // when that was
  std::vector<CellRecord> cells;  // in the order they finished
  bool torn = false;              // a last line was cut off and is not among them
  size_t valid_bytes = 0;         // up to the end of the last whole line
};

// Throws std::runtime_error for a file that is no journal, has no whole header, or is damaged
// before its last line.
JournalContents ReadJournal(const std::string& path);

class Journal {
 public:
  // A new journal with its header; replaces one that is there. Throws std::runtime_error (path,
  // system's words).
  static Journal Create(const std::string& path, const Policy& policy, const std::string& date);
  // Continues the journal that `contents` were read from, after cutting off a torn last line.
  static Journal Continue(const std::string& path, const JournalContents& contents);

  // Appends one line by one write and waits until it is on the disk. On failure (disk full, say)
  // throws std::runtime_error and cuts the file back, so that what was there stays readable.
  void Append(const CellRecord& cell);

 private:
  Journal(std::string path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}
  void AppendLine(std::string line);

  std::string path_;
  Descriptor file_;
};

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_JOURNAL_H_
