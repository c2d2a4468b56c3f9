// SPDX-License-Identifier: Apache-2.0
//
// The comparison for programs. Absent numbers are null, as JSON has no infinity.
#include <cmath>
#include <nlohmann/json.hpp>

#include "harness/report/compare/comparison_text.h"

namespace attest::report {
namespace {

using Json = nlohmann::ordered_json;

Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

void PutEstimate(Json& object, const Estimate& estimate) {
  object["time_ratio"] = Number(estimate.ratio);
  object["time_ratio_with_drift"] = Number(estimate.raw_ratio);
  object["interval"] = {Number(estimate.low), Number(estimate.high)};
  object["verdict"] = ChangeName(estimate.change);
  object["reason"] = estimate.reason;
}

Json LabelJson(const LabelChange& label) {
  Json object = {{"label", label.label}, {"cells", label.cells}};
  PutEstimate(object, label.estimate);
  return object;
}

Json CellJson(const CellChange& cell) {
  Json object = {{"cell", cell.cell},
                 {"label", cell.label},
                 {"before_median_seconds", Number(cell.before_seconds)},
                 {"after_median_seconds", Number(cell.after_seconds)},
                 {"before_rounds", cell.before_rounds},
                 {"after_rounds", cell.after_rounds},
                 {"mann_whitney_p", Number(cell.mann_whitney_p)}};
  PutEstimate(object, cell.estimate);
  return object;
}

Json OptionsJson(const CompareOptions& options) {
  return {{"threshold", options.threshold},       {"cell_threshold", options.cell_threshold},
          {"remove_drift", options.remove_drift}, {"seed", options.seed},
          {"replicates", options.replicates},     {"backends", options.patterns}};
}

}  // namespace

std::string ComparisonJson(const Comparison& comparison) {
  Json root = Json::object();
  root["schema_version"] = "1.0.0";
  root["before"] = comparison.before;
  root["after"] = comparison.after;
  root["paired"] = comparison.paired;
  root["regression"] = HasRegression(comparison);
  root["headline"] = Headline(comparison);
  root["options"] = OptionsJson(comparison.options);
  for (const char* key : {"drift", "backends", "cells", "lost"}) root[key] = Json::array();
  for (const Drift& drift : comparison.drifts)
    root["drift"].push_back({{"devices", drift.devices}, {"time_ratio", Number(drift.ratio)}});
  for (const LabelChange& label : comparison.labels) root["backends"].push_back(LabelJson(label));
  for (const CellChange& cell : comparison.cells) root["cells"].push_back(CellJson(cell));
  for (const LostResult& lost : comparison.lost)
    root["lost"].push_back({{"cell", lost.cell},
                            {"label", lost.label},
                            {"verdict", lost.verdict},
                            {"reason", lost.reason}});
  root["notes"] = comparison.notes;
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace attest::report
