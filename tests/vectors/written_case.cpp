// SPDX-License-Identifier: Apache-2.0
#include "tests/vectors/written_case.h"

#include <filesystem>
#include <fstream>

namespace attest::vectors {

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

onnx::TensorProto FloatTensor(const std::string& name, const std::vector<int64_t>& shape,
                              const std::vector<float>& values) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t extent : shape) tensor.add_dims(extent);
  for (const float value : values) tensor.add_float_data(value);
  return tensor;
}

WrittenCase::WrittenCase() {
  std::filesystem::create_directory(path("test_data_set_0"));
  model_.add_opset_import()->set_version(25);
  model_.mutable_graph()->add_node()->set_op_type("Attention");
}

void WrittenCase::AddInt(const std::string& name, int64_t value) {
  onnx::AttributeProto& attribute = *node().add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void WrittenCase::AddFloat(const std::string& name, float value) {
  onnx::AttributeProto& attribute = *node().add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
}

void WrittenCase::AddInput(int slot, const onnx::TensorProto& tensor) {
  while (node().input_size() < slot) node().add_input("");
  node().add_input(tensor.name());
  const int file = model_.graph().input_size();
  model_.mutable_graph()->add_input()->set_name(tensor.name());
  WriteFile(path("test_data_set_0/input_" + std::to_string(file) + ".pb"),
            tensor.SerializeAsString());
}

void WrittenCase::AddOutput(int slot, const onnx::TensorProto& tensor) {
  while (node().output_size() < slot) node().add_output("");
  node().add_output(tensor.name());
  const int file = model_.graph().output_size();
  model_.mutable_graph()->add_output()->set_name(tensor.name());
  WriteFile(path("test_data_set_0/output_" + std::to_string(file) + ".pb"),
            tensor.SerializeAsString());
}

void WrittenCase::AddSimple(int64_t queries, int64_t keys, const std::vector<float>& y) {
  const auto q = static_cast<size_t>(queries), k = static_cast<size_t>(keys);
  std::vector<float> counting;
  for (size_t i = 0; i < k; ++i) counting.push_back(static_cast<float>(i + 1));
  AddInput(0, FloatTensor("Q", {1, 1, queries, 1}, std::vector<float>(q, 1)));
  AddInput(1, FloatTensor("K", {1, 1, keys, 1}, std::vector<float>(k, 1)));
  AddInput(2, FloatTensor("V", {1, 1, keys, 1}, counting));
  AddOutput(0, FloatTensor("Y", {1, 1, queries, 1}, y));
}

Case WrittenCase::Read() const {
  WriteFile(path("model.onnx"), model_.SerializeAsString());
  return ReadCase(files());
}

std::string WrittenCase::WhyNot() const {
  try {
    (void)Read();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace attest::vectors
