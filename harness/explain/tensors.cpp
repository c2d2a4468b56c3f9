// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/tensors.h"

#include <fmt/format.h>

#include <stdexcept>

#include "harness/core/convert.h"
#include "harness/core/names.h"
#include "harness/core/tensors.h"

namespace attest::explain {

Given MakeGiven(const attest_problem& problem, const ValuesByRole& values) {
  Given given;
  given.tensors = DescribeTensors(problem, Layout::kBnsh);
  for (const attest_tensor& tensor : given.tensors) {
    std::vector<std::byte>& bytes = given.values.emplace_back();
    if (IsOutput(tensor.role)) continue;
    const std::vector<double>& elements = values.at(tensor.role);
    if (static_cast<int64_t>(elements.size()) != StoredElements(tensor))
      throw std::logic_error(fmt::format("{} has {} elements, {} were given", RoleName(tensor.role),
                                         StoredElements(tensor), elements.size()));
    bytes.resize(tensor.extent_bytes);
    for (size_t n = 0; n < elements.size(); ++n)
      StoreElement(bytes.data(), tensor.dtype, static_cast<int64_t>(n), elements[n]);
  }
  return given;
}

ValuesByRole LayerValues(const LayerCase& layer) {
  return {{ATTEST_ROLE_X, layer.x.values},
          {ATTEST_ROLE_X_KV, layer.x_kv.values},
          {ATTEST_ROLE_WQ, layer.w_q.values},
          {ATTEST_ROLE_WK, layer.w_k.values},
          {ATTEST_ROLE_WV, layer.w_v.values}};
}

std::vector<double> SplitHeads(const Matrix& matrix, int64_t heads) {
  std::vector<double> values;
  values.reserve(matrix.values.size());
  const int64_t size = matrix.columns / heads;
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < matrix.rows; ++i)
      for (int64_t c = 0; c < size; ++c) values.push_back(matrix.at(i, h * size + c));
  return values;
}

Matrix JoinHeads(const std::vector<double>& values, int64_t heads, int64_t length) {
  Matrix matrix(length, static_cast<int64_t>(values.size()) / length);
  const int64_t size = matrix.columns / heads;
  size_t n = 0;
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < length; ++i)
      for (int64_t c = 0; c < size; ++c) matrix.at(i, h * size + c) = values[n++];
  return matrix;
}

std::vector<Matrix> PerHead(const std::vector<double>& values, int64_t heads, int64_t rows) {
  std::vector<Matrix> matrices;
  const auto size = static_cast<std::ptrdiff_t>(values.size()) / heads;
  for (int64_t h = 0; h < heads; ++h)
    matrices.emplace_back(
        rows, size / rows,
        std::vector<double>(values.begin() + h * size, values.begin() + (h + 1) * size));
  return matrices;
}

}  // namespace attest::explain
