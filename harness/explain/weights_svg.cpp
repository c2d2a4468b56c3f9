// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/weights_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "harness/explain/block.h"
#include "harness/explain/svg_text.h"

namespace attest::explain {
namespace {

// Pixels.
constexpr double kMap = 240, kGap = 44, kTitle = 34, kBar = 14;
constexpr double kLetter = 6.6;       // width of one, on average
constexpr int64_t kMostLetters = 14;  // of a label
constexpr double kLeastCell = 13;     // for a label beside it
constexpr double kNumberCell = 34;    // for a number in it
constexpr int64_t kHeadsInARow = 4;
constexpr int kLevels = 100;
constexpr int kNoNumber = -1;

// cividis at eighths (matplotlib's table).
constexpr std::array<std::array<int, 3>, 9> kCividis = {{{0x00, 0x22, 0x4e},
                                                         {0x12, 0x35, 0x70},
                                                         {0x3b, 0x49, 0x6c},
                                                         {0x57, 0x5d, 0x6d},
                                                         {0x70, 0x71, 0x73},
                                                         {0x8a, 0x86, 0x78},
                                                         {0xa5, 0x9c, 0x74},
                                                         {0xc3, 0xb3, 0x69},
                                                         {0xfe, 0xe8, 0x38}}};

std::string Colour(int level) {
  if (level == kNoNumber) return "#ff00ff";
  const double at = 8.0 * level / kLevels;
  const auto first = std::min<size_t>(static_cast<size_t>(at), 7);
  const double part = at - static_cast<double>(first);
  std::string text = "#";
  for (size_t channel = 0; channel < 3; ++channel)
    text += fmt::format("{:02x}", std::lround(kCividis[first][channel] * (1 - part) +
                                              kCividis[first + 1][channel] * part));
  return text;
}

// Top of the colour bar: the largest weight, rounded up to a whole per cent.
double TopOf(const std::vector<Matrix>& heads) {
  double top = 0.01;
  for (const Matrix& weights : heads)
    for (const double weight : weights.values)
      if (weight > top) top = weight;  // false for NaN
  return std::fmin(std::ceil(top * 100 - 1e-3) / 100, 1);
}

std::string Short(const std::string& label) {
  std::string text = Fit(label, std::min(DisplayWidth(label), kMostLetters));
  return DisplayWidth(label) > kMostLetters ? text + "\u2026" : text;
}

class Picture {
 public:
  Picture(const std::string& title, const std::vector<Matrix>& heads,
          const std::vector<std::string>& tokens, const std::vector<std::string>& key_tokens)
      : title_(title), heads_(heads), tokens_(tokens), key_tokens_(key_tokens) {
    const double longest = static_cast<double>(std::max(heads[0].rows, heads[0].columns));
    cell_ = kMap / longest;
    if (longest < 6) cell_ = 40;
    map_width_ = cell_ * static_cast<double>(heads[0].columns);
    map_height_ = cell_ * static_cast<double>(heads[0].rows);
    labels_ = cell_ >= kLeastCell;
    left_ = labels_ ? LabelWidth(tokens) + 12 : 20;
    top_ = labels_ ? LabelWidth(key_tokens) + 12 : 20;
    top_weight_ = TopOf(heads);
    in_a_row_ = std::min(std::ssize(heads), kHeadsInARow);
  }

  std::string Draw() {
    const int64_t lines = (std::ssize(heads_) + in_a_row_ - 1) / in_a_row_;
    const double panel_width = left_ + map_width_ + kGap;
    const double panel_height = top_ + map_height_ + kGap;
    const double bar_height = std::max(map_height_, 80.0);
    const double width = std::max(static_cast<double>(in_a_row_) * panel_width + kBar + 70,
                                  24 + kLetter * static_cast<double>(DisplayWidth(title_)) * 1.1);
    const double height =
        kTitle + std::max(static_cast<double>(lines) * panel_height, top_ + bar_height + kGap);
    text_ = SvgStart(width, height, title_);
    Label(12, 21, "start", title_, " font-weight=\"bold\"");
    for (int64_t h = 0; h < std::ssize(heads_); ++h)
      Head(h, static_cast<double>(h % in_a_row_) * panel_width + left_,
           kTitle + static_cast<double>(h / in_a_row_) * panel_height + top_);
    Bar(static_cast<double>(in_a_row_) * panel_width, kTitle + top_, bar_height);
    return text_ + "</svg>\n";
  }

 private:
  int LevelOf(double weight) const {
    if (!std::isfinite(weight)) return kNoNumber;
    return static_cast<int>(std::lround(std::clamp(weight / top_weight_, 0.0, 1.0) * kLevels));
  }

  static double LabelWidth(const std::vector<std::string>& labels) {
    int64_t letters = 5;
    for (const std::string& label : labels) letters = std::max(letters, DisplayWidth(Short(label)));
    return kLetter * static_cast<double>(letters);
  }

  void Label(double x, double y, const char* anchor, const std::string& label,
             const std::string& more = "") {
    text_ += SvgText(x, y, anchor, label, more);
  }

  void Head(int64_t h, double x, double y) {
    const Matrix& weights = heads_[static_cast<size_t>(h)];
    Cells(weights, x, y);
    text_ += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"none\" "
        "stroke=\"#8c8c94\"/>\n",
        x, y, map_width_, map_height_);
    Label(x + map_width_ / 2, y + map_height_ + 18, "middle",
          heads_.size() > 1 ? fmt::format("head {}: keys", h + 1) : "keys");
    Labels(x, y);
    if (cell_ >= kNumberCell) Figures(weights, x, y);
  }

  // One path for each colour, runs of a row as one rectangle.
  void Cells(const Matrix& weights, double x, double y) {
    std::map<int, std::string> paths;
    for (int64_t i = 0; i < weights.rows; ++i)
      for (int64_t j = 0; j < weights.columns;) {
        const int level = LevelOf(weights.at(i, j));
        int64_t end = j + 1;
        while (end < weights.columns && LevelOf(weights.at(i, end)) == level) ++end;
        paths[level] += fmt::format("M{} {}h{}v1h-{}z", j, i, end - j, end - j);
        j = end;
      }
    text_ += fmt::format(
        "<g transform=\"translate({:.1f} {:.1f}) scale({:.4f})\" shape-rendering=\"crispEdges\">\n",
        x, y, cell_);
    for (const auto& [level, path] : paths)
      text_ += fmt::format("<path fill=\"{}\" d=\"{}\"/>\n", Colour(level), path);
    text_ += "</g>\n";
  }

  void Labels(double x, double y) {
    if (!labels_) return;
    for (size_t i = 0; i < tokens_.size(); ++i)
      Label(x - 6, y + cell_ * (static_cast<double>(i) + 0.5) + 4, "end", Short(tokens_[i]));
    for (size_t j = 0; j < key_tokens_.size(); ++j) {
      const double at = x + cell_ * (static_cast<double>(j) + 0.5) + 4;
      text_ += fmt::format("<text transform=\"translate({:.1f} {:.1f}) rotate(-90)\">{}</text>\n",
                           at, y - 6, EscapeXml(Short(key_tokens_[j])));
    }
  }

  void Figures(const Matrix& weights, double x, double y) {
    for (int64_t i = 0; i < weights.rows; ++i)
      for (int64_t j = 0; j < weights.columns; ++j) {
        const int level = LevelOf(weights.at(i, j));
        Label(x + cell_ * (static_cast<double>(j) + 0.5),
              y + cell_ * (static_cast<double>(i) + 0.5) + 4, "middle",
              level == kNoNumber ? "NaN" : fmt::format("{:.0f}", 100 * weights.at(i, j)),
              level < 55 ? " fill=\"#ffffff\"" : " fill=\"#111111\"");
      }
  }

  void Bar(double x, double y, double height) {
    text_ +=
        fmt::format("<defs><linearGradient id=\"weights\" x1=\"0\" y1=\"1\" x2=\"0\" y2=\"0\">\n");
    for (int n = 0; n <= 8; ++n)
      text_ += fmt::format("<stop offset=\"{}\" stop-color=\"{}\"/>\n", n / 8.0,
                           Colour(n * kLevels / 8));
    text_ += fmt::format(
        "</linearGradient></defs>\n<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" "
        "height=\"{:.1f}\" fill=\"url(#weights)\"/>\n",
        x, y, kBar, height);
    for (const double part : {0.0, 0.5, 1.0})
      Label(x + kBar + 5, y + height * (1 - part) + 4, "start",
            fmt::format("{:.3g} %", 100 * part * top_weight_));
  }

  const std::string& title_;
  const std::vector<Matrix>& heads_;
  const std::vector<std::string>&tokens_, &key_tokens_;
  double top_weight_ = 1, cell_ = 0, map_width_ = 0, map_height_ = 0, left_ = 0, top_ = 0;
  bool labels_ = false;
  int64_t in_a_row_ = 1;
  std::string text_;
};

}  // namespace

std::string WeightsSvg(const std::string& title, const std::vector<Matrix>& heads,
                       const std::vector<std::string>& tokens,
                       const std::vector<std::string>& key_tokens) {
  return Picture(title, heads, tokens, key_tokens).Draw();
}

}  // namespace attest::explain
