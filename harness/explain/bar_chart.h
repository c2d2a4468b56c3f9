// SPDX-License-Identifier: Apache-2.0
//
// Grouped bars as SVG: a panel for each figure, a group for each category, a bar for each series
// with its number on it.
#ifndef ATTEST_HARNESS_EXPLAIN_BAR_CHART_H_
#define ATTEST_HARNESS_EXPLAIN_BAR_CHART_H_

#include <string>
#include <vector>

namespace attest::explain {

struct BarPanel {
  std::string title;                        // with the unit
  std::vector<std::vector<double>> values;  // [series][category], at least 0
};
struct BarChart {
  std::string title, sentence;
  std::string category_axis;  // what the categories are
  std::vector<std::string> categories, series;
  std::vector<BarPanel> panels;
};
std::string BarChartSvg(const BarChart& chart);

}  // namespace attest::explain

#endif  // ATTEST_HARNESS_EXPLAIN_BAR_CHART_H_
