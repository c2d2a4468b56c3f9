// SPDX-License-Identifier: Apache-2.0
//
// JSON to values, by the tables of fields.h; every fault names its key by its whole path. Inside
// the reader only.
#ifndef ATTEST_HARNESS_REPORT_JSON_READER_H_
#define ATTEST_HARNESS_REPORT_JSON_READER_H_

#include <nlohmann/json.hpp>
#include <string>

#include "harness/report/fields.h"

namespace attest::report {

using Json = nlohmann::ordered_json;

// A JSON value and where it stands.
struct Node {
  const Json* json;
  std::string path;

  [[noreturn]] void Fail(const std::string& fault) const;  // throws std::runtime_error
  // The member; a Node with json == nullptr where there is none. Fails on what is no object.
  Node Find(const std::string& key) const;
  Node Require(const std::string& key) const;  // fails where there is none
  Node At(size_t index) const;
  size_t ArraySize() const;  // fails on what is no array
};

// The text as JSON; throws std::runtime_error where it is none, and says so where it only ends
// early.
Json ParseJson(std::string_view text, std::string_view source);

void Read(const Node& node, bool& value);
void Read(const Node& node, std::string& value);
void Read(const Node& node, Verdict& value);
void Read(const Node& node, BackendState& value);
void Read(const Node& node, CellRecord& value);
void Read(const Node& node, std::vector<std::pair<std::string, std::string>>& value);
void Read(const Node& node, std::vector<std::pair<std::string, bool>>& value);
void Read(const Node& node, std::vector<std::pair<std::string, double>>& value);
int64_t ReadSigned(const Node& node, int64_t least, int64_t most);
uint64_t ReadUnsigned(const Node& node, uint64_t most);
// Doubles need their parent, where the sibling of a null stands.
void ReadMember(const Node& parent, const Node& member, const std::string& key, double& value);
void ReadMember(const Node& parent, const Node& member, const std::string& key,
                std::vector<double>& value);

template <class Struct>
void ReadFields(const Node& node, Struct& value);

template <class Value>
requires std::is_class_v<Value>
void Read(const Node& node, Value& value) { ReadFields(node, value); }
template <std::integral Value>
void Read(const Node& node, Value& value) {
  using Bounds = std::numeric_limits<Value>;
  if constexpr (std::is_signed_v<Value>)
    value = static_cast<Value>(ReadSigned(node, Bounds::min(), Bounds::max()));
  else
    value = static_cast<Value>(ReadUnsigned(node, Bounds::max()));
}
template <class Value>
void Read(const Node& node, std::vector<Value>& values) {
  values.assign(node.ArraySize(), Value{});
  for (size_t i = 0; i < values.size(); ++i) Read(node.At(i), values[i]);
}

template <class Value>
void ReadMember(const Node&, const Node& member, const std::string&, Value& value) {
  Read(member, value);
}
template <class Value>
void ReadMember(const Node& parent, const Node& member, const std::string& key,
                std::optional<Value>& value) {
  ReadMember(parent, member, key, value.emplace());
}

template <class Struct, class Member>
void ReadField(const Node& node, const Field<Struct, Member>& field, Struct& value) {
  const Node member = field.required ? node.Require(field.key) : node.Find(field.key);
  if (member.json) ReadMember(node, member, field.key, value.*field.member);
}
template <class Struct>
void ReadFields(const Node& node, Struct& value) {
  std::apply([&](const auto&... field) { (ReadField(node, field, value), ...); },
             FieldsOf(static_cast<const Struct*>(&value)));
}

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_JSON_READER_H_
