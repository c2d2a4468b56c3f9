// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/explanation_json.h"

#include <nlohmann/json.hpp>

#include "harness/core/names.h"

namespace attest::explain {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const Matrix& matrix) {
  if (matrix.empty()) return nullptr;
  Json rows = Json::array();
  for (int64_t i = 0; i < matrix.rows; ++i) {
    const auto first = matrix.values.begin() + i * matrix.columns;
    rows.push_back(std::vector<double>(first, first + matrix.columns));
  }
  return rows;
}

Json ToJson(const std::string& key, const std::vector<Matrix>& matrices) {
  if (matrices.empty()) return nullptr;
  if (key != "scores" && key != "scaled_scores" && key != "weights") return ToJson(matrices[0]);
  Json heads = Json::array();
  for (const Matrix& matrix : matrices) heads.push_back(ToJson(matrix));
  return heads;
}

// The numbers, as the backend gave them or as the reference has them.
Json Numbers(const Explanation& e, std::vector<Matrix> Step::*values) {
  const LayerCase& c = e.layer;
  Json json;
  json["x"] = ToJson(c.x);
  if (!c.x_kv.empty()) json["x_kv"] = ToJson(c.x_kv);
  json["w_q"] = ToJson(c.w_q);
  json["w_k"] = ToJson(c.w_k);
  json["w_v"] = ToJson(c.w_v);
  for (const Step& step : e.steps) json[step.key] = ToJson(step.key, step.*values);
  json["scale"] = c.problem.scale;
  return json;
}

}  // namespace

std::string ExplanationJson(const Explanation& e) {
  Json json = Numbers(e, &Step::value);
  json["structure"] = StructureName(e.layer.problem.structure);
  json["tokens"] = e.layer.tokens;
  if (!e.layer.x_kv.empty()) json["key_tokens"] = e.layer.key_tokens;
  json["backend"] = e.backend;
  json["reference"] = Numbers(e, &Step::reference);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace attest::explain
