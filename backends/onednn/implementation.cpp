// SPDX-License-Identifier: Apache-2.0
#include "implementation.h"

namespace attest::onednn {
namespace {

std::string Listed(const char* what, const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += " " + name;
  return names.empty() ? "" : std::string(", ") + what + ":" + text;
}

}  // namespace

std::string ImplementationOf(const std::set<std::string>& matmul,
                             const std::set<std::string>& softmax, DataType product,
                             int32_t dtype) {
  if (matmul.empty()) return std::string(kOptimized) + ", none needed";
  const std::string names = Listed("matmul", matmul) + Listed("softmax", softmax);
  const bool reference = names.find("ref") != std::string::npos;
  const bool converted = product != TypeOf(dtype);
  return std::string(reference ? "REFERENCE PRIMITIVES" : kOptimized) + names +
         (converted ? ", on operands converted to f32" : "");
}

}  // namespace attest::onednn
