// SPDX-License-Identifier: Apache-2.0
//
// JSON text of the worker protocol. Each message lists its fields once (protocol_fields.h). Strings
// that are not UTF-8 are repaired on the way out; numbers must fit their type exactly on the way
// in. The only file of judge and worker that knows JSON.
#include "harness/worker/protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "harness/core/names.h"
#include "harness/core/tensors.h"
#include "harness/worker/protocol_fields.h"

namespace attest::protocol {
namespace {

using Json = nlohmann::json;
using WordOf = std::string_view (*)(int32_t);

// The words of a table of names.h, at their numbers; "" for number 0 where the table starts at 1.
const std::vector<std::string_view>& WordsOf(WordOf word_of) {
  thread_local std::map<WordOf, std::vector<std::string_view>> known;
  const auto [entry, is_new] = known.try_emplace(word_of);
  std::vector<std::string_view>& words = entry->second;
  for (bool ended = !is_new; !ended;) {
    try {
      words.push_back(word_of(static_cast<int32_t>(words.size())));
    } catch (const std::invalid_argument&) {
      ended = !words.empty();
      if (!ended) words.emplace_back();
    }
  }
  return words;
}

// The number behind a word.
int32_t NumberOf(std::string_view word, WordOf word_of, const std::string& where) {
  const std::vector<std::string_view>& words = WordsOf(word_of);
  const auto found = std::find(words.begin(), words.end(), word);
  if (word.empty() || found == words.end())
    throw std::invalid_argument(fmt::format("{}: unknown word '{}'", where, word));
  return static_cast<int32_t>(found - words.begin());
}

class Writer {
 public:
  template <typename T>
  void operator()(const char* key, T& value) {
    json_[key] = ToJson(value);
  }
  void Word(const char* key, int32_t& value, WordOf word_of) { json_[key] = word_of(value); }
  template <typename T>
  void Optional(const char* key, T& value) {
    (*this)(key, value);
  }
  void OptionalWord(const char* key, int32_t& value, WordOf word_of) { Word(key, value, word_of); }
  void Flag(const char* key, int32_t& value) { json_[key] = value != 0; }
  void Axes(const char* key, int64_t (&axes)[ATTEST_MAX_RANK], int32_t& rank) {
    if (rank < 0 || rank > ATTEST_MAX_RANK)
      throw std::invalid_argument(fmt::format("a tensor of rank {}", rank));
    json_[key] = std::vector<int64_t>(axes, axes + rank);
  }
  Json Take() { return std::move(json_); }

 private:
  template <typename T>
  static Json ToJson(T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      return value;
    } else {
      Writer writer;
      Fields(writer, value);
      return writer.Take();
    }
  }
  template <typename T>
  static Json ToJson(std::vector<T>& values) {
    Json list = Json::array();
    for (T& value : values) list.push_back(ToJson(value));
    return list;
  }
  Json json_ = Json::object();
};

class Reader {
 public:
  Reader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object()) throw std::invalid_argument(NameOf("") + "must be an object");
  }
  template <typename T>
  void operator()(const char* key, T& value) {
    Get(Find(key), NameOf(key), value);
  }
  void Word(const char* key, int32_t& value, WordOf word_of) {
    std::string word;
    (*this)(key, word);
    value = NumberOf(word, word_of, NameOf(key));
  }
  // Keys that came later than some workers: without them the value stays.
  template <typename T>
  void Optional(const char* key, T& value) {
    if (json_.contains(key)) (*this)(key, value);
  }
  void OptionalWord(const char* key, int32_t& value, WordOf word_of) {
    if (json_.contains(key)) Word(key, value, word_of);
  }
  void Flag(const char* key, int32_t& value) {
    bool flag = false;
    (*this)(key, flag);
    value = flag;
  }
  // The shape comes first and sets the rank, which the strides must have too.
  void Axes(const char* key, int64_t (&axes)[ATTEST_MAX_RANK], int32_t& rank) {
    std::vector<int64_t> values;
    (*this)(key, values);
    const bool is_first = rank == 0;
    if (values.empty() || values.size() > ATTEST_MAX_RANK ||
        (!is_first && values.size() != static_cast<size_t>(rank)))
      throw std::invalid_argument(fmt::format("{}: {} axes", NameOf(key), values.size()));
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] < (is_first ? 1 : 0))
        throw std::invalid_argument(fmt::format("{}: {} is too small", NameOf(key), values[i]));
      axes[i] = values[i];
    }
    rank = static_cast<int32_t>(values.size());
  }

 private:
  std::string NameOf(const char* key) const {
    return where_.empty() ? std::string(*key ? key : "message ")
                          : where_ + (*key ? "." : " ") + key;
  }
  const Json& Find(const char* key) const {
    const auto found = json_.find(key);
    if (found == json_.end()) throw std::invalid_argument(NameOf(key) + ": missing");
    return *found;
  }
  [[noreturn]] static void Mistyped(const std::string& where, const char* wanted) {
    throw std::invalid_argument(fmt::format("{}: must be {}", where, wanted));
  }
  static void Get(const Json& json, const std::string& where, bool& value) {
    if (!json.is_boolean()) Mistyped(where, "true or false");
    value = json.get<bool>();
  }
  static void Get(const Json& json, const std::string& where, double& value) {
    if (!json.is_number()) Mistyped(where, "a number");
    value = json.get<double>();
  }
  static void Get(const Json& json, const std::string& where, std::string& value) {
    if (!json.is_string()) Mistyped(where, "a string");
    value = json.get<std::string>();
  }
  template <typename T>
  static void Get(const Json& json, const std::string& where, T& value) {
    if constexpr (!std::is_integral_v<T>) {
      Reader reader(json, where);
      Fields(reader, value);
    } else if (json.is_number_unsigned() && std::in_range<T>(json.get<uint64_t>())) {
      value = static_cast<T>(json.get<uint64_t>());
    } else if (json.is_number_integer() && !json.is_number_unsigned() &&
               std::in_range<T>(json.get<int64_t>())) {
      value = static_cast<T>(json.get<int64_t>());
    } else {
      Mistyped(where, "a whole number in range");
    }
  }
  static void Get(const Json& json, const std::string& where, attest_tensor& value) {
    Reader reader(json, where);
    value = {};
    Fields(reader, value);
    value.extent_bytes = static_cast<uint64_t>(ExtentElements(value)) * DtypeBytes(value.dtype);
  }
  template <typename T>
  static void Get(const Json& json, const std::string& where, std::vector<T>& values) {
    if (!json.is_array()) Mistyped(where, "an array");
    values.clear();
    for (const Json& element : json) {
      const std::string place = fmt::format("{}[{}]", where, values.size());
      Get(element, place, values.emplace_back());
    }
  }

  const Json& json_;
  std::string where_;
};

// Words of "op", by the place of the type in its variant.
constexpr std::array<std::string_view, std::variant_size_v<Request>> kRequestOps = {
    "load", "attach", "detach", "prepare", "run", "measure", "release", "ceilings", "quit"};
constexpr std::array<std::string_view, std::variant_size_v<Body>> kReplyOps = {
    "done", "load", "prepare", "run", "measure", "ceilings"};
constexpr std::array<std::string_view, 8> kStatuses = {
    "ok",           "unsupported",    "unavailable",   "rejected", "out_of_memory",
    "device_error", "internal_error", "protocol_error"};

template <typename Messages, size_t kIndex = 0>
Messages DecodeAs(size_t index, const Json& json) {
  if constexpr (kIndex < std::variant_size_v<Messages>) {
    if (index != kIndex) return DecodeAs<Messages, kIndex + 1>(index, json);
    std::variant_alternative_t<kIndex, Messages> message;
    Reader reader(json, "");
    Fields(reader, message);
    return message;
  } else {
    throw std::logic_error("a message without a place in its variant");
  }
}

template <typename Words>
size_t IndexOf(const Words& words, const std::string& word, const char* key) {
  for (size_t i = 0; i < words.size(); ++i)
    if (words[i] == word) return i;
  throw std::invalid_argument(fmt::format("{}: unknown word '{}'", key, word));
}

Json Parse(std::string_view text, uint64_t* id) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) throw std::invalid_argument("message is not JSON");
  Reader reader(json, "");
  uint64_t number = 0;
  reader("id", number);
  if (id != nullptr) *id = number;
  return json;
}

template <typename Messages>
std::string ToText(uint64_t id, Json head, const Messages& messages) {
  Writer writer;
  std::visit([&](auto message) { Fields(writer, message); }, messages);
  Json json = writer.Take();
  json["id"] = id;
  json.update(head);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string Encode(uint64_t id, const Request& request) {
  return ToText(id, {{"op", kRequestOps[request.index()]}}, request);
}

std::string Encode(uint64_t id, const Reply& reply) {
  if (reply.status != "ok")
    return ToText(id, {{"status", reply.status}, {"message", reply.message}}, Body(Done{}));
  return ToText(id, {{"status", reply.status}, {"op", kReplyOps[reply.body.index()]}}, reply.body);
}

Request DecodeRequest(std::string_view text, uint64_t* id) {
  const Json json = Parse(text, id);
  std::string op;
  Reader(json, "")("op", op);
  return DecodeAs<Request>(IndexOf(kRequestOps, op, "op"), json);
}

Reply DecodeReply(std::string_view text, uint64_t* id) {
  const Json json = Parse(text, id);
  Reply reply;
  Reader reader(json, "");
  reader("status", reply.status);
  (void)IndexOf(kStatuses, reply.status, "status");
  std::string op;
  reader(reply.status == "ok" ? "op" : "message", reply.status == "ok" ? op : reply.message);
  if (reply.status == "ok") reply.body = DecodeAs<Body>(IndexOf(kReplyOps, op, "op"), json);
  return reply;
}

std::string_view PhaseName(uint32_t phase) {
  static constexpr std::array<std::string_view, kPhaseCount> kNames = {
      "idle",         "dlopen",        "attest_backend_entry",
      "configure",    "backend_info",  "device_count",
      "variant_info", "supports",      "plan_workspace",
      "plan_create",  "plan_bind",     "plan_run",
      "plan_sync",    "plan_download", "plan_info",
      "plan_destroy", "ceiling"};
  return phase < kNames.size() ? kNames[phase] : "unknown phase";
}

}  // namespace attest::protocol
