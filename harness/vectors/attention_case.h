// SPDX-License-Identifier: Apache-2.0
//
// An ONNX node test of the operator Attention (opset 23 and later) as a problem of ours with its
// input values, and what the test's author says comes out. Source: the operator's specification.
#ifndef ATTEST_HARNESS_VECTORS_ATTENTION_CASE_H_
#define ATTEST_HARNESS_VECTORS_ATTENTION_CASE_H_

#include <optional>
#include <string>
#include <vector>

#include "harness/core/cell.h"
#include "harness/core/given.h"
#include "harness/vectors/onnx_reader.h"

namespace attest::vectors {

// Where a case lies. The folder of a case holds model.onnx and one data set or more.
struct CaseFiles {
  std::string name;  // of the folder; with the data set's number behind ':' from the second on
  std::string folder;
  std::string data_set;  // "": the folder has none, which ReadCase refuses
};

// The cases of `directory`, by name: itself where it holds a model.onnx, else one or more for each
// folder in it. Throws std::invalid_argument where it is no directory.
std::vector<CaseFiles> FindCases(const std::string& directory);

// What qk_matmul_output shows.
enum class ScoreStage { kProduct = 0, kSoftcapped = 1, kMasked = 2, kWeights = 3 };

struct Case {
  CaseFiles files;
  Cell cell;    // `data` is the case's name
  Given given;  // past and new K and V joined, the mask as long as the keys
  ScoreStage stage = ScoreStage::kProduct;
  int32_t softmax_dtype = 0;  // what the operator says the softmax is to be computed in; 0: nothing
  // What came out where the test was made.
  Tensor y;
  std::optional<Tensor> present_key, present_value, scores;
};

// Throws std::runtime_error or std::invalid_argument naming the file, attribute or input that is
// malformed or not known.
Case ReadCase(const CaseFiles& files);

// The inputs' descriptions with data: pointers into `given`.
std::vector<attest_tensor> InputsWithData(const Given& given);

}  // namespace attest::vectors

#endif  // ATTEST_HARNESS_VECTORS_ATTENTION_CASE_H_
