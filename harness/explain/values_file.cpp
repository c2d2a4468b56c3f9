// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/values_file.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace attest::explain {
namespace {

using Json = nlohmann::json;
constexpr const char* kBlank = " \t\r";
constexpr size_t kMostBytes = size_t{1} << 28;  // of a file; far more than anybody reads

[[noreturn]] void Refuse(const std::string& where, const std::string& why) {
  throw std::invalid_argument(fmt::format("{}: {}", where, why));
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Refuse(path, "cannot be read; --input takes a CSV or JSON file");
  std::string text;
  std::vector<char> block(1 << 16);
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())), file.gcount() > 0) {
    text.append(block.data(), static_cast<size_t>(file.gcount()));
    if (text.size() > kMostBytes) Refuse(path, "is larger than 256 MiB");
  }
  if (file.bad()) Refuse(path, "cannot be read; is it a directory?");
  return text;
}

// Appends a row; the first one decides how wide all are.
void AddRow(const std::string& where, const std::vector<double>& row, Matrix& matrix) {
  if (matrix.rows == 0) matrix.columns = static_cast<int64_t>(row.size());
  if (static_cast<int64_t>(row.size()) != matrix.columns)
    Refuse(where,
           fmt::format("has {} numbers, but the rows before it have {}: every row must be as "
                       "long as the first",
                       row.size(), matrix.columns));
  matrix.values.insert(matrix.values.end(), row.begin(), row.end());
  ++matrix.rows;
}

double Number(const std::string& where, std::string_view text) {
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(value))
    Refuse(where, fmt::format("'{}' is no finite number; every field must be one", text));
  return value;
}

std::string Trim(const std::string& text) {
  const size_t first = text.find_first_not_of(kBlank);
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// Commas and semicolons part fields, of which none may be empty; without any of them blanks do.
std::vector<double> CsvRow(const std::string& where, const std::string& line) {
  const std::string separators = line.find_first_of(",;") == std::string::npos ? kBlank : ",;";
  std::vector<double> row;
  for (size_t first = 0; first <= line.size();) {
    const size_t end = std::min(line.find_first_of(separators, first), line.size());
    const std::string field = Trim(line.substr(first, end - first));
    if (separators != kBlank || !field.empty())
      row.push_back(Number(fmt::format("{}, field {}", where, row.size() + 1), field));
    first = end + 1;
  }
  return row;
}

Matrix ParseCsv(const std::string& path, const std::string& text) {
  Matrix matrix;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const std::string trimmed = Trim(line);
    if (trimmed.empty() || trimmed.starts_with('#')) continue;
    const std::string where = fmt::format("{}, line {}", path, number);
    AddRow(where, CsvRow(where, trimmed), matrix);
  }
  if (matrix.rows == 0) Refuse(path, "holds no numbers; needed is a row for each token");
  return matrix;
}

Matrix ParseRows(const std::string& where, const Json& json) {
  if (!json.is_array() || json.empty())
    Refuse(where, "is no matrix; needed is an array of rows: [[1, 2, 3], [4, 5, 6]]");
  Matrix matrix;
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string here = fmt::format("{}, row {}", where, i + 1);
    if (!json[i].is_array() || json[i].empty()) Refuse(here, "is no array of numbers");
    std::vector<double> row;
    for (const Json& element : json[i]) {
      if (!element.is_number() || !std::isfinite(element.get<double>()))
        Refuse(here, fmt::format("{} is no finite number", element.dump()));
      row.push_back(element.get<double>());
    }
    AddRow(here, row, matrix);
  }
  return matrix;
}

std::vector<std::string> ParseWords(const std::string& where, const Json& json) {
  if (!json.is_array()) Refuse(where, "is no array of words");
  std::vector<std::string> words;
  for (const Json& word : json) {
    if (!word.is_string()) Refuse(where, fmt::format("{} is no word", word.dump()));
    words.push_back(word.get<std::string>());
  }
  return words;
}

Values ParseObject(const std::string& path, const Json& json) {
  Values values;
  const std::pair<const char*, Matrix*> matrices[] = {{"x", &values.x},
                                                      {"x_kv", &values.x_kv},
                                                      {"w_q", &values.w_q},
                                                      {"w_k", &values.w_k},
                                                      {"w_v", &values.w_v}};
  for (const auto& [key, matrix] : matrices)
    if (const auto found = json.find(key); found != json.end() && !found->is_null())
      *matrix = ParseRows(fmt::format("{}, \"{}\"", path, key), *found);
  if (values.x.empty()) Refuse(path, "has no \"x\"; needed is {\"x\": [[1, 2, 3], [4, 5, 6]]}");
  if (const auto found = json.find("tokens"); found != json.end())
    values.tokens = ParseWords(path + ", \"tokens\"", *found);
  if (const auto found = json.find("key_tokens"); found != json.end())
    values.key_tokens = ParseWords(path + ", \"key_tokens\"", *found);
  return values;
}

}  // namespace

Values ReadValuesFile(const std::string& path) {
  const std::string text = ReadText(path);
  const size_t first = text.find_first_not_of(" \t\r\n");
  Values values;
  if (first == std::string::npos || (text[first] != '[' && text[first] != '{')) {
    values.x = ParseCsv(path, text);
    return values;
  }
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::exception& error) {
    Refuse(path, fmt::format("is no JSON: {}", error.what()));
  }
  if (json.is_object()) return ParseObject(path, json);
  values.x = ParseRows(path, json);
  return values;
}

}  // namespace attest::explain
