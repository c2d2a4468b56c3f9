// SPDX-License-Identifier: Apache-2.0
//
// Lines are told apart by their final newline alone: JSON text has none inside.
#include "harness/report/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "harness/report/json.h"

namespace attest::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "attest.journal/1";

std::string HeaderLine(const Policy& policy, const std::string& date) {
  Json header = {{"format", kFormat}, {"schema_version", kSchemaVersion}, {"date", date}};
  header["policy"] = Json::parse(WritePolicyJson(policy));
  return header.dump();
}

void ReadHeader(std::string_view line, const std::string& path, JournalContents& contents) {
  const Json header = Json::parse(line, nullptr, false);
  if (!header.is_object() || header.value("format", Json()) != kFormat ||
      !header.contains("policy"))
    throw std::runtime_error(fmt::format("{} is not a journal of attest ({})", path, kFormat));
  contents.policy = ReadPolicyJson(header["policy"].dump());
  if (header.contains("date") && header["date"].is_string())
    contents.date = header["date"].get<std::string>();
}

void ReadLine(std::string_view line, size_t number, const std::string& path,
              JournalContents& contents) {
  if (number == 1) {
    ReadHeader(line, path, contents);
    return;
  }
  try {
    contents.cells.push_back(ReadCellJson(line));
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(
        fmt::format("{} is damaged in line {}: {}", path, number, error.what()));
  }
}

}  // namespace

std::string JournalPath(const std::string& report_path) { return report_path + ".journal"; }

JournalContents ReadJournal(const std::string& path) {
  const std::string text = ReadFile(path);
  JournalContents contents;
  size_t number = 0;
  while (true) {
    const size_t end = text.find('\n', contents.valid_bytes);
    if (end == std::string::npos) break;
    const std::string_view line(text.data() + contents.valid_bytes, end - contents.valid_bytes);
    ReadLine(line, ++number, path, contents);
    contents.valid_bytes = end + 1;
  }
  contents.torn = contents.valid_bytes < text.size();
  if (number == 0)
    throw std::runtime_error(
        fmt::format("{} has no header: the sweep ended before its first line; remove it", path));
  return contents;
}

Journal Journal::Create(const std::string& path, const Policy& policy, const std::string& date) {
  // In one step: a run that is killed here leaves no journal that cannot be continued.
  WriteAtomically(path, HeaderLine(policy, date) + "\n");
  return Journal(path, Open(path, O_WRONLY | O_APPEND, "write"));
}

Journal Journal::Continue(const std::string& path, const JournalContents& contents) {
  Journal journal(path, Open(path, O_WRONLY | O_APPEND, "continue"));
  if (ftruncate(journal.file_.get(), static_cast<off_t>(contents.valid_bytes)) != 0)
    FailWithErrno("continue", path);
  return journal;
}

void Journal::Append(const CellRecord& cell) { AppendLine(WriteCellJson(cell)); }

void Journal::AppendLine(std::string line) {
  line += '\n';
  struct stat status {};
  if (fstat(file_.get(), &status) != 0) FailWithErrno("write", path_);
  try {
    WriteAll(file_.get(), line, path_);  // one call, unless the line does not fit
    if (fdatasync(file_.get()) != 0) FailWithErrno("write", path_);
  } catch (const std::runtime_error&) {
    if (S_ISREG(status.st_mode) && ftruncate(file_.get(), status.st_size) != 0)
      FailWithErrno("repair", path_);
    throw;
  }
}

}  // namespace attest::report
