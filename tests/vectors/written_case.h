// SPDX-License-Identifier: Apache-2.0
//
// Writes ONNX node tests into a temporary folder, right ones and malformed ones.
#ifndef ATTEST_TESTS_VECTORS_WRITTEN_CASE_H_
#define ATTEST_TESTS_VECTORS_WRITTEN_CASE_H_

#include <onnx/onnx_pb.h>

#include <string>
#include <utility>
#include <vector>

#include "harness/vectors/attention_case.h"
#include "tests/temporary_folder.h"

namespace attest::vectors {

onnx::TensorProto FloatTensor(const std::string& name, const std::vector<int64_t>& shape,
                              const std::vector<float>& values);

// A case with one node Attention; tensors of inputs and outputs are written in their order.
class WrittenCase {
 public:
  WrittenCase();

  void SetOpset(int64_t version) { model_.mutable_opset_import(0)->set_version(version); }
  void AddInt(const std::string& name, int64_t value);
  void AddFloat(const std::string& name, float value);
  // At position `slot` of the node; those between stay empty.
  void AddInput(int slot, const onnx::TensorProto& tensor);
  void AddOutput(int slot, const onnx::TensorProto& tensor);
  onnx::ModelProto& model() { return model_; }

  // Q, K, V of shape [1, 1, length, 1], all ones but V, which counts 1, 2, ...; and Y.
  void AddSimple(int64_t queries, int64_t keys, const std::vector<float>& y);

  std::string path(const std::string& name) const { return folder_.File(name); }
  CaseFiles files() const { return {"case", folder_.path(), path("test_data_set_0")}; }
  // Writes the model and returns what ReadCase makes of it all.
  Case Read() const;
  // What ReadCase says is wrong; "" = nothing.
  std::string WhyNot() const;

 private:
  onnx::NodeProto& node() { return *model_.mutable_graph()->mutable_node(0); }
  TemporaryFolder folder_;
  onnx::ModelProto model_;
};

void WriteFile(const std::string& path, const std::string& bytes);

}  // namespace attest::vectors

#endif  // ATTEST_TESTS_VECTORS_WRITTEN_CASE_H_
