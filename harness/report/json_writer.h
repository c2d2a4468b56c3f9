// SPDX-License-Identifier: Apache-2.0
//
// Values to JSON, by the tables of fields.h. Inside the writer only.
#ifndef ATTEST_HARNESS_REPORT_JSON_WRITER_H_
#define ATTEST_HARNESS_REPORT_JSON_WRITER_H_

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/report/fields.h"

namespace attest::report {

using Json = nlohmann::ordered_json;

// JSON has no infinity and no NaN: they are null, and a sibling key says which.
inline const char* NonfiniteWord(double value) {
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

Json ToJson(const Result& result);  // leaves out what may not be published: write_cells.cpp
Json ToJson(const CellRecord& cell);
Json ToJson(const Variant& variant);

template <class Struct>
Json ToJson(const Struct& value);

inline void Put(Json& object, const std::string& key, double value) {
  if (std::isfinite(value)) {
    object[key] = value;
    return;
  }
  object[key] = nullptr;
  object[key + "_nonfinite"] = NonfiniteWord(value);
}

// The words of the sibling stand in the order of the nulls.
inline void Put(Json& object, const std::string& key, const std::vector<double>& values) {
  Json array = Json::array(), words = Json::array();
  for (double value : values) {
    array.push_back(std::isfinite(value) ? Json(value) : Json(nullptr));
    if (!std::isfinite(value)) words.push_back(NonfiniteWord(value));
  }
  object[key] = std::move(array);
  if (!words.empty()) object[key + "_nonfinite"] = std::move(words);
}

inline void Put(Json& object, const std::string& key, Verdict value) {
  object[key] = VerdictName(value);
}
inline void Put(Json& object, const std::string& key, BackendState value) {
  object[key] = BackendStateName(value);
}
inline void Put(Json& object, const std::string& key,
                const std::vector<std::pair<std::string, std::string>>& values) {
  object[key] = Json::object();
  for (const auto& [name, text] : values) object[key][name] = text;
}

inline void Put(Json& object, const std::string& key,
                const std::vector<std::pair<std::string, double>>& values) {
  object[key] = Json::object();
  for (const auto& [name, number] : values) Put(object[key], name, number);
}

// An empty one is an absent key.
inline void Put(Json& object, const std::string& key,
                const std::vector<std::pair<std::string, bool>>& values) {
  for (const auto& [name, flag] : values) object[key][name] = flag;
}

template <class Value>
concept Plain = std::is_integral_v<Value> || std::is_same_v<Value, std::string>;

template <Plain Value>
void Put(Json& object, const std::string& key, const Value& value) {
  object[key] = value;
}
template <class Value>
void Put(Json& object, const std::string& key, const std::vector<Value>& values) {
  Json array = Json::array();
  for (const Value& value : values)
    if constexpr (Plain<Value>)
      array.push_back(value);
    else
      array.push_back(ToJson(value));
  object[key] = std::move(array);
}
template <class Value>
requires std::is_class_v<Value> &&
    (!Plain<Value>)void Put(Json& object, const std::string& key, const Value& value) {
  object[key] = ToJson(value);
}
template <class Value>
void Put(Json& object, const std::string& key, const std::optional<Value>& value) {
  if (value) Put(object, key, *value);
}

template <class Struct>
void PutFields(Json& object, const Struct& value) {
  std::apply([&](const auto&... field) { (Put(object, field.key, value.*field.member), ...); },
             FieldsOf(&value));
}
template <class Struct>
Json ToJson(const Struct& value) {
  Json object = Json::object();
  PutFields(object, value);
  return object;
}

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_JSON_WRITER_H_
