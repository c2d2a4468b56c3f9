// SPDX-License-Identifier: Apache-2.0
//
// A study as a table, as JSON and as a chart.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "harness/explain/study.h"
#include "harness/explain/svg_text.h"
#include "harness/report/format.h"

namespace attest::explain {
namespace {

constexpr int64_t kWidth = 80;

struct Words {
  std::string title, category;
};

Words WordsOf(const Study& study) {
  if (study.name == "scale") return {"What dividing scores by sqrt(d) does", "head size d"};
  if (study.name == "tied") return {"What one map for Q and K does", "structure"};
  return {"How far outputs are from the mean of V", "scale"};
}

std::string Spaced(std::string key) {
  std::replace(key.begin(), key.end(), '_', ' ');
  return key;
}

// What a figure is, where there is room to say so.
std::string Described(const std::string& key) {
  static const std::map<std::string, std::string> descriptions = {
      {"asymmetry", "asymmetry of the scores, mean |s_ij - s_ji| / mean |s_ij|"},
      {"distance_from_mean", "distance of the output from the mean of V, over the size of that"},
      {"entropy_bits", "entropy of a row's weights, bits"},
      {"from_1_to_2", "weight that token 1 gives token 2, head 1"},
      {"from_2_to_1", "weight that token 2 gives token 1, head 1"},
      {"gradient_norm", "norm of the softmax's Jacobian"},
      {"largest_weight", "largest weight of a row"},
      {"weight_on_itself", "weight that a token gives itself"},
  };
  return descriptions.at(key);
}

// What all rows have figures for; none where a row has none.
std::vector<std::string> Keys(const Study& study) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : study.rows.front().figures) keys.push_back(key);
  return keys;
}

template <class Value>
void AddOnce(std::vector<Value>& values, const Value& value) {
  if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
}

}  // namespace

std::string StudyText(const Study& study) {
  const bool has_series = !study.rows.front().series.empty();
  std::vector<report::Column> columns = {{WordsOf(study).category}};
  if (has_series) columns.push_back({"scores"});
  for (const std::string& key : Keys(study))
    columns.push_back({Spaced(key), report::Align::kRight});
  columns.push_back({"verdict"});
  std::vector<std::vector<std::string>> rows;
  std::string reasons;
  for (const StudyRow& row : study.rows) {
    std::vector<std::string>& texts = rows.emplace_back();
    texts.push_back(row.category);
    if (has_series) texts.push_back(row.series);
    for (const auto& [key, value] : row.figures) texts.push_back(report::FormatNumber(value));
    texts.resize(columns.size() - 1);
    texts.emplace_back(report::VerdictName(row.verdict));
    if (row.verdict != report::Verdict::kPass)
      reasons += fmt::format("{} {}: {}\n", report::VerdictName(row.verdict), row.cell, row.reason);
  }
  std::string text = fmt::format("{}, on {}\n\n{}\n", WordsOf(study).title, study.backend,
                                 report::LayOut(columns, rows));
  for (const std::string& line : WrapText(study.sentence, kWidth)) text += line + "\n";
  return text + reasons;
}

std::string StudyJson(const Study& study) {
  nlohmann::ordered_json json;
  json["study"] = study.name;
  json["backend"] = study.backend;
  json["sentence"] = study.sentence;
  json["rows"] = nlohmann::ordered_json::array();
  for (const StudyRow& row : study.rows) {
    nlohmann::ordered_json& object = json["rows"].emplace_back();
    object["cell"] = row.cell;
    object["category"] = row.category;
    object["series"] = row.series;
    for (const auto& [key, value] : row.figures) object[key] = value;
    object["verdict"] = report::VerdictName(row.verdict);
    object["reason"] = row.reason;
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

BarChart ChartOf(const Study& study) {
  const Words words = WordsOf(study);
  BarChart chart{words.title + ", on " + study.backend, study.sentence, words.category, {}, {}, {}};
  for (const StudyRow& row : study.rows) {
    AddOnce(chart.categories, row.category);
    AddOnce(chart.series, row.series);
  }
  for (const std::string& key : Keys(study)) {
    BarPanel& panel = chart.panels.emplace_back();
    panel.title = Described(key);
    for (const std::string& series : chart.series) {
      std::vector<double>& values = panel.values.emplace_back();
      for (const StudyRow& row : study.rows)
        if (row.series == series)
          for (const auto& [name, value] : row.figures)
            if (name == key) values.push_back(value);
    }
  }
  return chart;
}

}  // namespace attest::explain
