// SPDX-License-Identifier: Apache-2.0
//
// The leaves of reading: numbers in range, words, non-finite siblings, faults with their path.
#include "harness/report/json_reader.h"

#include <fmt/format.h>

#include <stdexcept>

namespace attest::report {
namespace {

double FromWord(const Node& node) {
  std::string word;
  Read(node, word);
  if (word == "inf") return std::numeric_limits<double>::infinity();
  if (word == "-inf") return -std::numeric_limits<double>::infinity();
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  node.Fail(fmt::format("'{}' is none of inf, -inf, nan", word));
}

double FiniteNumber(const Node& node) {
  if (!node.json->is_number()) node.Fail("a number is needed");
  return node.json->get<double>();
}

}  // namespace

void Node::Fail(const std::string& fault) const {
  throw std::runtime_error(fmt::format("{}: {}", path, fault));
}

Node Node::Find(const std::string& key) const {
  if (!json->is_object()) Fail("an object is needed");
  const auto found = json->find(key);
  return {found == json->end() ? nullptr : &*found, path + "." + key};
}

Node Node::Require(const std::string& key) const {
  Node member = Find(key);
  if (!member.json) member.Fail("this key is missing");
  return member;
}

Node Node::At(size_t index) const { return {&(*json)[index], fmt::format("{}[{}]", path, index)}; }

size_t Node::ArraySize() const {
  if (!json->is_array()) Fail("an array is needed");
  return json->size();
}

Json ParseJson(std::string_view text, std::string_view source) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    if (text.empty()) throw std::runtime_error(fmt::format("{} is empty", source));
    if (error.byte > text.size())
      throw std::runtime_error(
          fmt::format("{} ends early, after {} bytes: whoever wrote or copied it was cut off",
                      source, text.size()));
    throw std::runtime_error(fmt::format("{} is no JSON from byte {} on", source, error.byte));
  }
}

void Read(const Node& node, bool& value) {
  if (!node.json->is_boolean()) node.Fail("true or false is needed");
  value = node.json->get<bool>();
}

void Read(const Node& node, std::string& value) {
  if (!node.json->is_string()) node.Fail("a string is needed");
  value = node.json->get<std::string>();
}

void Read(const Node& node, Verdict& value) {
  std::string word;
  Read(node, word);
  try {
    value = VerdictFromName(word);
  } catch (const std::invalid_argument& error) {
    node.Fail(error.what());
  }
}

void Read(const Node& node, BackendState& value) {
  std::string word;
  Read(node, word);
  try {
    value = BackendStateFromName(word);
  } catch (const std::invalid_argument& error) {
    node.Fail(error.what());
  }
}

void Read(const Node& node, std::vector<std::pair<std::string, std::string>>& value) {
  if (!node.json->is_object()) node.Fail("an object is needed");
  value.clear();
  for (const auto& [key, text] : node.json->items()) {
    if (!text.is_string()) node.Fail(fmt::format("the value of '{}' must be a string", key));
    value.emplace_back(key, text.get<std::string>());
  }
}

void Read(const Node& node, std::vector<std::pair<std::string, bool>>& value) {
  if (!node.json->is_object()) node.Fail("an object is needed");
  value.clear();
  for (const auto& [key, flag] : node.json->items()) {
    if (!flag.is_boolean()) node.Fail(fmt::format("the value of '{}' must be true or false", key));
    value.emplace_back(key, flag.get<bool>());
  }
}

void Read(const Node& node, std::vector<std::pair<std::string, double>>& value) {
  if (!node.json->is_object()) node.Fail("an object is needed");
  value.clear();
  for (const auto& [key, number] : node.json->items()) {
    if (key.ends_with("_nonfinite")) continue;  // the word of a null
    double read = 0;
    ReadMember(node, Node{&number, node.path + "." + key}, key, read);
    value.emplace_back(key, read);
  }
}

int64_t ReadSigned(const Node& node, int64_t least, int64_t most) {
  if (!node.json->is_number_integer()) node.Fail("an integer is needed");
  const bool huge = node.json->is_number_unsigned() && node.json->get<uint64_t>() > INT64_MAX;
  const int64_t value = huge ? 0 : node.json->get<int64_t>();
  if (huge || value < least || value > most)
    node.Fail(fmt::format("{} is outside [{}, {}]", node.json->dump(), least, most));
  return value;
}

uint64_t ReadUnsigned(const Node& node, uint64_t most) {
  if (!node.json->is_number_integer()) node.Fail("an integer is needed");
  const bool negative = !node.json->is_number_unsigned() && node.json->get<int64_t>() < 0;
  const uint64_t value = negative ? 0 : node.json->get<uint64_t>();
  if (negative || value > most)
    node.Fail(fmt::format("{} is outside [0, {}]", node.json->dump(), most));
  return value;
}

void ReadMember(const Node& parent, const Node& member, const std::string& key, double& value) {
  value =
      member.json->is_null() ? FromWord(parent.Require(key + "_nonfinite")) : FiniteNumber(member);
}

void ReadMember(const Node& parent, const Node& member, const std::string& key,
                std::vector<double>& values) {
  values.resize(member.ArraySize());
  const Node words = parent.Find(key + "_nonfinite");
  size_t nulls = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const Node element = member.At(i);
    if (!element.json->is_null()) {
      values[i] = FiniteNumber(element);
      continue;
    }
    if (!words.json || nulls >= words.ArraySize()) element.Fail("null without a word for it");
    values[i] = FromWord(words.At(nulls++));
  }
}

}  // namespace attest::report
