// SPDX-License-Identifier: Apache-2.0
#include "harness/vectors/onnx_reader.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "attest/abi.h"
#include "harness/core/names.h"

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

namespace attest::vectors {
namespace {

// Far above every node test; a damaged extent must not become an allocation.
constexpr int64_t kMostElements = int64_t{1} << 28;

[[noreturn]] void Refuse(const std::string& path, const std::string& why) {
  throw std::runtime_error(path + ": " + why);
}

template <class Message>
Message Parse(const std::string& path, const char* what) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Refuse(path, "cannot be read");
  Message message;
  if (!message.ParseFromIstream(&file))
    Refuse(path, fmt::format("is damaged, or no ONNX {}", what));
  return message;
}

int32_t DtypeOf(const std::string& path, int32_t type) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
      return ATTEST_F32;
    case onnx::TensorProto::FLOAT16:
      return ATTEST_F16;
    case onnx::TensorProto::BFLOAT16:
      return ATTEST_BF16;
    case onnx::TensorProto::DOUBLE:
      return ATTEST_F64;
    case onnx::TensorProto::INT64:
      return ATTEST_I64;
    case onnx::TensorProto::BOOL:
      return ATTEST_BOOL;
    default:
      Refuse(path, fmt::format("element type {} is not known; known are FLOAT, FLOAT16, BFLOAT16, "
                               "DOUBLE, INT64 and BOOL",
                               type));
  }
}

// Elements of a repeated field, each narrowed to `Element`.
template <class Element, class Field>
std::vector<std::byte> Narrow(const Field& field) {
  std::vector<std::byte> bytes(static_cast<size_t>(field.size()) * sizeof(Element));
  for (int i = 0; i < field.size(); ++i) {
    const auto element = static_cast<Element>(field.Get(i));
    std::memcpy(bytes.data() + static_cast<size_t>(i) * sizeof element, &element, sizeof element);
  }
  return bytes;
}

// The values of a tensor that are in no raw_data: each type has its own field.
std::vector<std::byte> TypedData(const onnx::TensorProto& message, int32_t dtype) {
  switch (dtype) {
    case ATTEST_F32:
      return Narrow<float>(message.float_data());
    case ATTEST_F64:
      return Narrow<double>(message.double_data());
    case ATTEST_I64:
      return Narrow<int64_t>(message.int64_data());
    case ATTEST_BOOL:
      return Narrow<uint8_t>(message.int32_data());
    default:  // the bits of f16 and bf16
      return Narrow<uint16_t>(message.int32_data());
  }
}

std::vector<int64_t> ShapeOf(const std::string& path, const onnx::TensorProto& message) {
  std::vector<int64_t> shape(message.dims().begin(), message.dims().end());
  int64_t count = 1;
  for (const int64_t extent : shape) {
    if (extent < 0 || extent > kMostElements) Refuse(path, fmt::format("an extent of {}", extent));
    count *= extent;
    if (count > kMostElements)
      Refuse(path, fmt::format("more than {} elements in its shape", kMostElements));
  }
  return shape;
}

void CheckBooleans(const std::string& path, const Tensor& tensor) {
  if (tensor.dtype != ATTEST_BOOL) return;
  for (const std::byte value : tensor.bytes)
    if (value > std::byte{1}) Refuse(path, "a BOOL element is neither 0 nor 1");
}

Attribute ValueOf(const std::string& path, const onnx::AttributeProto& attribute) {
  if (attribute.type() == onnx::AttributeProto::INT) return attribute.i();
  if (attribute.type() == onnx::AttributeProto::FLOAT) return double{attribute.f()};
  Refuse(path, fmt::format("attribute '{}' is neither an integer nor a float", attribute.name()));
}

int64_t OpsetOf(const std::string& path, const onnx::ModelProto& model) {
  for (const auto& opset : model.opset_import())
    if (opset.domain().empty() || opset.domain() == "ai.onnx") return opset.version();
  Refuse(path, "names no opset of the default domain");
}

const onnx::NodeProto& OnlyNode(const std::string& path, const onnx::GraphProto& graph) {
  if (graph.node_size() != 1)
    Refuse(path, fmt::format("has {} nodes, but a node test has one", graph.node_size()));
  if (graph.initializer_size() != 0 || graph.sparse_initializer_size() != 0)
    Refuse(path, "has initializers, but the inputs of a node test are files");
  const onnx::NodeProto& node = graph.node(0);
  if (!node.domain().empty() && node.domain() != "ai.onnx")
    Refuse(path, fmt::format("operator domain '{}' is not known", node.domain()));
  return node;
}

}  // namespace

int64_t ElementCount(const Tensor& tensor) {
  int64_t count = 1;
  for (const int64_t extent : tensor.shape) count *= extent;
  return count;
}

Node ReadModel(const std::string& path) {
  const auto model = Parse<onnx::ModelProto>(path, "model");
  const onnx::NodeProto& message = OnlyNode(path, model.graph());
  Node node;
  node.op_type = message.op_type();
  node.opset = OpsetOf(path, model);
  for (const auto& attribute : message.attribute())
    if (!node.attributes.emplace(attribute.name(), ValueOf(path, attribute)).second)
      Refuse(path, fmt::format("attribute '{}' stands twice", attribute.name()));
  node.inputs.assign(message.input().begin(), message.input().end());
  node.outputs.assign(message.output().begin(), message.output().end());
  for (const auto& input : model.graph().input()) node.graph_inputs.push_back(input.name());
  for (const auto& output : model.graph().output()) node.graph_outputs.push_back(output.name());
  return node;
}

Tensor ReadTensor(const std::string& path) {
  const auto message = Parse<onnx::TensorProto>(path, "tensor");
  if (message.data_location() == onnx::TensorProto::EXTERNAL || message.external_data_size() != 0)
    Refuse(path, "keeps its data in another file, which is not supported");
  Tensor tensor;
  tensor.name = message.name();
  tensor.dtype = DtypeOf(path, message.data_type());
  tensor.shape = ShapeOf(path, message);
  if (message.has_raw_data()) {
    const auto* first = reinterpret_cast<const std::byte*>(message.raw_data().data());
    tensor.bytes.assign(first, first + message.raw_data().size());
  } else {
    tensor.bytes = TypedData(message, tensor.dtype);
  }
  const auto needed = static_cast<size_t>(ElementCount(tensor)) * DtypeBytes(tensor.dtype);
  if (tensor.bytes.size() != needed)
    Refuse(path, fmt::format("holds {} bytes of data, but its shape needs {}", tensor.bytes.size(),
                             needed));
  CheckBooleans(path, tensor);
  return tensor;
}

}  // namespace attest::vectors
