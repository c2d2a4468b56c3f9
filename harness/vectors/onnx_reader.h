// SPDX-License-Identifier: Apache-2.0
//
// ONNX files as plain values: a model of one node, and single tensors. The one place that knows
// protobuf and ONNX's messages; it knows nothing of attention. Format: onnx.proto of ONNX 1.12,
// whose fields later releases keep.
#ifndef ATTEST_HARNESS_VECTORS_ONNX_READER_H_
#define ATTEST_HARNESS_VECTORS_ONNX_READER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace attest::vectors {

struct Tensor {
  std::string name;
  int32_t dtype = 0;             // ATTEST_F32 ... ATTEST_BOOL
  std::vector<int64_t> shape;    // any rank, extents may be 0
  std::vector<std::byte> bytes;  // row-major, without gaps
};
int64_t ElementCount(const Tensor& tensor);

using Attribute = std::variant<int64_t, double>;  // no operator we run has others

struct Node {
  std::string op_type;
  int64_t opset = 0;  // of the default domain
  std::map<std::string, Attribute> attributes;
  std::vector<std::string> inputs, outputs;              // by position; "" = left out
  std::vector<std::string> graph_inputs, graph_outputs;  // in the order of input_i.pb, output_i.pb
};

// Both throw std::runtime_error with the file's name and what is wrong with it: not readable, not
// such a message, another number of nodes than 1, an attribute or element type that is not known,
// data that does not fill the shape, data in a file of its own.
Node ReadModel(const std::string& path);
Tensor ReadTensor(const std::string& path);

}  // namespace attest::vectors

#endif  // ATTEST_HARNESS_VECTORS_ONNX_READER_H_
