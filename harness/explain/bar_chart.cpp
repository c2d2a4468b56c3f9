// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/bar_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "harness/explain/block.h"
#include "harness/explain/svg_text.h"
#include "harness/report/format.h"

namespace attest::explain {
namespace {

// Pixels.
constexpr double kBarWidth = 34, kGroupGap = 18, kPanelHeight = 130, kPanelGap = 58, kLeft = 20,
                 kTop = 92, kLetter = 6.2;
// Okabe-Ito; the second is hatched, too, for readers who see no colours.
constexpr std::array<const char*, 2> kColours = {"#0072B2", "#E69F00"};

class Chart {
 public:
  explicit Chart(const BarChart& chart) : c_(chart) {}

  std::string Draw() {
    const double bars = kBarWidth * static_cast<double>(c_.series.size());
    double group = bars + kGroupGap;
    for (const std::string& category : c_.categories)
      group = std::max(group, kLetter * static_cast<double>(DisplayWidth(category)) + kGroupGap);
    const double plot = group * static_cast<double>(c_.categories.size());
    const std::vector<std::string> lines = WrapText(c_.sentence, 92);
    const double width = std::max(plot + 2 * kLeft, 640.0);
    const double height = kTop +
                          (kPanelHeight + kPanelGap) * static_cast<double>(c_.panels.size()) +
                          16 * static_cast<double>(lines.size()) + 8;
    text_ = SvgStart(width, height, c_.title);
    text_ += SvgText(kLeft, 22, "start", c_.title, " font-weight=\"bold\"");
    Legend();
    double y = kTop;
    for (const BarPanel& panel : c_.panels) {
      Panel(panel, y, group, plot);
      y += kPanelHeight + kPanelGap;
    }
    for (const std::string& line : lines) text_ += SvgText(kLeft, y - 12, "start", line), y += 16;
    return text_ + "</svg>\n";
  }

 private:
  void Legend() {
    text_ +=
        "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
        "patternTransform=\"rotate(45)\"><rect width=\"2\" height=\"6\" fill=\"#1b1b1f\" "
        "fill-opacity=\"0.35\"/></pattern></defs>\n";
    if (c_.series.size() < 2) return;
    for (size_t n = 0; n < c_.series.size(); ++n) {
      const double x = kLeft + 200 * static_cast<double>(n);
      Bar(n, x, 36, 14, 14);
      text_ += SvgText(x + 20, 48, "start", c_.series[n]);
    }
  }

  void Bar(size_t series, double x, double y, double width, double height) {
    const auto rect = [&](const char* fill) {
      text_ += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n", x,
          y, width, height, fill);
    };
    rect(kColours[series % kColours.size()]);
    if (series % 2 == 1) rect("url(#hatch)");
  }

  void Panel(const BarPanel& panel, double top, double group, double plot) {
    double largest = 0;
    for (const auto& values : panel.values)
      for (const double value : values)
        if (value > largest) largest = value;
    text_ += SvgText(kLeft, top - 18, "start", panel.title + ", by " + c_.category_axis);
    const double base = top + kPanelHeight;
    const size_t series = panel.values.size();
    for (size_t s = 0; s < series; ++s)
      for (size_t n = 0; n < panel.values[s].size(); ++n) {
        const double value = panel.values[s][n];
        const double height =
            largest > 0 && std::isfinite(value) ? value / largest * kPanelHeight : 0;
        const double x = kLeft + group * (static_cast<double>(n) + 0.5) +
                         kBarWidth * (static_cast<double>(s) - static_cast<double>(series) / 2);
        Bar(s, x + 1, base - height, kBarWidth - 2, height);
        text_ += SvgText(x + kBarWidth / 2, base - height - 4, "middle",
                         report::FormatNumber(value), " font-size=\"9\"");
      }
    text_ +=
        fmt::format("<path d=\"M{:.1f} {:.1f}h{:.1f}\" stroke=\"#8c8c94\"/>\n", kLeft, base, plot);
    for (size_t n = 0; n < c_.categories.size(); ++n)
      text_ += SvgText(kLeft + group * (static_cast<double>(n) + 0.5), base + 14, "middle",
                       c_.categories[n], " font-size=\"10\"");
  }

  const BarChart& c_;
  std::string text_;
};

}  // namespace

std::string BarChartSvg(const BarChart& chart) { return Chart(chart).Draw(); }

}  // namespace attest::explain
