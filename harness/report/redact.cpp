// SPDX-License-Identifier: Apache-2.0
//
// All texts are found by the tables of fields.h, so that a new field cannot be forgotten.
#include "harness/report/redact.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

#include "harness/report/fields.h"

namespace attest::report {
namespace {

constexpr const char* kPath = "[path]";
// What may stand right before a path, and what ends one.
constexpr std::string_view kBefore = " \t\n\"'=:,;([{<>|`";
constexpr std::string_view kAfter = " \t\n\"':,;)]}<>|`";

// Keys by which results are found and compared: a user called "eigen" must not rename a backend.
constexpr std::string_view kIdentifiers[] = {"backend", "baseline", "cell",  "dtype",  "model",
                                             "name",    "slug",     "suite", "variant"};

bool IsWordLetter(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
}

// Whether a path begins at `at`: /x, ~/x, ~x; with no path before it, as in "FLOP/s".
bool BeginsPath(const std::string& text, size_t at) {
  // A compiler's option holds one right after its letter: -I/x, -L/x.
  const bool option = at >= 2 && text[at - 2] == '-' && IsWordLetter(text[at - 1]);
  if (at > 0 && kBefore.find(text[at - 1]) == std::string_view::npos && !option) return false;
  if (at + 1 >= text.size()) return false;
  const char next = text[at + 1];
  const bool named = IsWordLetter(next) || next == '.' || next == '-';
  return (text[at] == '/' && named) || (text[at] == '~' && (next == '/' || named));
}

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  if (what.empty()) return text;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

template <class Struct>
concept HasFields = requires(const Struct* value) {
  FieldsOf(value);
};

template <class Change>
class Texts {
 public:
  explicit Texts(const Change& change) : change_(change) {}
  void Visit(std::string& text) const { text = change_(text); }
  template <class Value>
  void Visit(std::vector<Value>& values) const {
    for (Value& value : values) Visit(value);
  }
  template <class Value>
  void Visit(std::optional<Value>& value) const {
    if (value) Visit(*value);
  }
  template <class Second>
  void Visit(std::pair<std::string, Second>& value) const {
    Visit(value.first);
    Visit(value.second);
  }
  template <HasFields Struct>
  void Visit(Struct& value) const {
    std::apply([&](const auto&... field) { (VisitField(value, field), ...); },
               FieldsOf(static_cast<const Struct*>(&value)));
  }
  template <class Value>
  requires std::is_arithmetic_v<Value> || std::is_enum_v<Value>
  void Visit(Value&) const {}

 private:
  template <class Struct, class Member>
  void VisitField(Struct& value, const Field<Struct, Member>& field) const {
    const auto* end = std::end(kIdentifiers);
    if (std::find(std::begin(kIdentifiers), end, field.key) == end) Visit(value.*field.member);
  }

  const Change& change_;
};

// Paths that the report itself knows: spaces in them would hide their ends.
std::vector<std::string> KnownPaths(const Report& report) {
  std::vector<std::string> paths = report.policy.backend_paths;
  paths.push_back(report.policy.executable);
  for (const Backend& backend : report.backends) paths.push_back(backend.path);
  std::erase_if(paths, [](const std::string& path) { return path.find('/') == path.npos; });
  std::sort(paths.begin(), paths.end(), [](const std::string& a, const std::string& b) {
    return a.size() > b.size();  // a folder after what lies in it
  });
  return paths;
}

}  // namespace

std::string WithoutPaths(const std::string& text) {
  std::string kept;
  for (size_t at = 0; at < text.size();) {
    if (!BeginsPath(text, at)) {
      kept += text[at++];
      continue;
    }
    kept += kPath;
    at = std::min(text.find_first_of(kAfter, at), text.size());
  }
  return kept;
}

std::string WithoutWord(const std::string& text, const std::string& word,
                        const std::string& replacement) {
  if (word.empty()) return text;
  std::string kept;
  for (size_t at = 0; at < text.size();) {
    const size_t found = std::min(text.find(word, at), text.size());
    kept += text.substr(at, found - at);
    if (found == text.size()) break;
    const size_t end = found + word.size();
    const bool whole = (found == 0 || !IsWordLetter(text[found - 1])) &&
                       (end == text.size() || !IsWordLetter(text[end]));
    kept += whole ? replacement : word;
    at = end;
  }
  return kept;
}

std::vector<std::string> UserNames() {
  std::vector<std::string> names;
  for (const char* variable : {"USER", "LOGNAME", "SUDO_USER"})
    if (const char* value = std::getenv(variable)) names.emplace_back(value);
  if (const passwd* entry = getpwuid(getuid())) names.emplace_back(entry->pw_name);
  return names;
}

void Redact(Report& report, const std::vector<std::string>& names) {
  const std::vector<std::string> paths = KnownPaths(report);
  const std::string host = report.machine.host_name;
  const auto change = [&](std::string text) {
    for (const std::string& path : paths) text = Replaced(text, path, kPath);
    text = WithoutWord(WithoutPaths(text), host, "[host]");
    for (const std::string& name : names) text = WithoutWord(text, name, "[user]");
    return text;
  };
  report.machine.host_name = "redacted";
  report.policy.argv.clear();
  report.policy.backend_paths.clear();
  report.policy.executable = std::filesystem::path(report.policy.executable).filename().string();
  const Texts texts(change);
  texts.Visit(report.machine);
  texts.Visit(report.build);
  texts.Visit(report.policy);
  texts.Visit(report.backends);
  texts.Visit(report.cells);
}

}  // namespace attest::report
