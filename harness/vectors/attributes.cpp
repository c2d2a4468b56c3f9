// SPDX-License-Identifier: Apache-2.0
#include "harness/vectors/attributes.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <stdexcept>
#include <string_view>

#include "attest/abi.h"

namespace attest::vectors {
namespace {

constexpr int64_t kFirstOpset = 23;    // the operator's own
constexpr int64_t kWindowsOpset = 25;  // left_window_size, right_window_size

struct Known {
  std::string_view name;
  bool is_float;
  int64_t since;
};
constexpr std::array<Known, 9> kKnown = {{{"is_causal", false, kFirstOpset},
                                          {"kv_num_heads", false, kFirstOpset},
                                          {"left_window_size", false, kWindowsOpset},
                                          {"q_num_heads", false, kFirstOpset},
                                          {"qk_matmul_output_mode", false, kFirstOpset},
                                          {"right_window_size", false, kWindowsOpset},
                                          {"scale", true, kFirstOpset},
                                          {"softcap", true, kFirstOpset},
                                          {"softmax_precision", false, kFirstOpset}}};

void Require(bool holds, const std::string& message) {
  if (!holds) throw std::invalid_argument(message);
}

void CheckKnown(const Node& node) {
  for (const auto& [name, value] : node.attributes) {
    const Known* found = nullptr;
    for (const Known& known : kKnown)
      if (known.name == name) found = &known;
    Require(found != nullptr, fmt::format("attribute '{}' is not known", name));
    Require(std::holds_alternative<double>(value) == found->is_float,
            fmt::format("attribute '{}' must be {}", name, found->is_float ? "a float" : "an int"));
    Require(node.opset >= found->since,
            fmt::format("attribute '{}' needs opset {}, the model has {}", name, found->since,
                        node.opset));
  }
}

std::optional<int64_t> Int(const Node& node, const std::string& name) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return std::nullopt;
  return std::get<int64_t>(found->second);
}

std::optional<double> Float(const Node& node, const std::string& name) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return std::nullopt;
  return std::get<double>(found->second);
}

int64_t IntFrom(const Node& node, const std::string& name, int64_t otherwise, int64_t least,
                int64_t greatest) {
  const int64_t value = Int(node, name).value_or(otherwise);
  Require(value >= least && value <= greatest,
          fmt::format("attribute '{}' is {}, outside [{}, {}]", name, value, least, greatest));
  return value;
}

// The attribute holds a number of TensorProto.DataType.
int32_t SoftmaxDtype(const Node& node) {
  switch (const int64_t type = Int(node, "softmax_precision").value_or(0)) {
    case 0:
      return 0;
    case 1:
      return ATTEST_F32;
    case 10:
      return ATTEST_F16;
    case 11:
      return ATTEST_F64;
    case 16:
      return ATTEST_BF16;
    default:
      throw std::invalid_argument(fmt::format(
          "attribute 'softmax_precision' is {}, no floating-point type that is known", type));
  }
}

}  // namespace

Attributes ReadAttributes(const Node& node) {
  constexpr int64_t kMost = int64_t{1} << 40;  // any length is below it
  Require(node.op_type == "Attention",
          fmt::format("the node is '{}', but only Attention is known", node.op_type));
  Require(node.opset >= kFirstOpset,
          fmt::format("opset {}, but Attention begins with {}", node.opset, kFirstOpset));
  CheckKnown(node);
  Attributes attributes;
  attributes.is_causal = IntFrom(node, "is_causal", 0, 0, 1) == 1;
  attributes.q_num_heads = Int(node, "q_num_heads");
  attributes.kv_num_heads = Int(node, "kv_num_heads");
  attributes.scale = Float(node, "scale");
  // Our problems cannot say it: 0 stands for "1 / sqrt(head_size)" there.
  Require(attributes.scale != 0.0, "attribute 'scale' is 0");
  attributes.softcap = Float(node, "softcap").value_or(0);
  attributes.left_window_size = IntFrom(node, "left_window_size", -1, -1, kMost);
  attributes.right_window_size = IntFrom(node, "right_window_size", -1, -1, kMost);
  attributes.stage = static_cast<ScoreStage>(IntFrom(node, "qk_matmul_output_mode", 0, 0, 3));
  attributes.softmax_dtype = SoftmaxDtype(node);
  return attributes;
}

}  // namespace attest::vectors
