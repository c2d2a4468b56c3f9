// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/block.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace attest::explain {
namespace {

constexpr int64_t kMostRows = 8;    // a taller matrix is cut
constexpr int64_t kLastRows = 2;    // of which these are its last
constexpr int64_t kMostLabel = 10;  // characters of a label
constexpr int64_t kSkipped = -1;    // in a list of rows or columns
constexpr const char* kSkippedText = "..";

constexpr int kMostDecimals = 4;
constexpr int kScientific = -1;  // in place of decimals

// Decimals that all numbers of a matrix are shown with: no more than they have.
int DecimalsOf(const Matrix& matrix, Numbers numbers) {
  if (numbers == Numbers::kPercent) return 1;
  double largest = 0, rest[kMostDecimals] = {};
  for (const double element : matrix.values) {
    if (!std::isfinite(element)) continue;
    largest = std::fmax(largest, std::fabs(element));
    for (int n = 0; n < kMostDecimals; ++n) {
      const double shifted = element * std::pow(10, n);
      rest[n] = std::fmax(rest[n], std::fabs(shifted - std::round(shifted)));
    }
  }
  if (largest >= 1e6 || (largest > 0 && largest < 1e-3)) return kScientific;
  const auto* enough = std::find_if(rest, rest + kMostDecimals, [](double r) { return r < 1e-5; });
  return static_cast<int>(enough - rest);
}

std::string Format(double value, int decimals, Numbers numbers) {
  if (decimals == kScientific) return fmt::format("{:.3e}", value);
  const std::string text =
      fmt::format("{:.{}f}", numbers == Numbers::kPercent ? 100 * value : value, decimals);
  // -0 is a zero for whoever reads.
  return text.starts_with('-') && text.find_first_not_of("-0.") == std::string::npos
             ? text.substr(1)
             : text;
}

// Indices to show of `count`, kSkipped where some are left out.
std::vector<int64_t> Chosen(int64_t count, int64_t most, int64_t last) {
  std::vector<int64_t> chosen;
  const bool all = count <= most;
  const int64_t first = all ? count : std::max<int64_t>(1, most - last - 1);
  for (int64_t n = 0; n < first; ++n) chosen.push_back(n);
  if (all) return chosen;
  chosen.push_back(kSkipped);
  for (int64_t n = count - last; n < count; ++n) chosen.push_back(n);
  return chosen;
}

struct Measures {
  int64_t label = 0, cell = 0, columns = 0;  // widths; how many columns fit
  int decimals = 0;
};

Measures Measure(const Matrix& matrix, const BlockStyle& style) {
  Measures m;
  m.decimals = DecimalsOf(matrix, style.numbers);
  for (const std::string& label : style.row_labels)
    m.label = std::max(m.label, std::min(kMostLabel, DisplayWidth(label)));
  for (const double value : matrix.values)
    m.cell = std::max(m.cell, std::ssize(Format(value, m.decimals, style.numbers)));
  for (const std::string& label : style.column_labels)
    m.cell = std::max(m.cell, std::min(kMostLabel, DisplayWidth(label)));
  const auto fitting = [&] { return std::max<int64_t>(3, (style.width - m.label) / (m.cell + 2)); };
  if (matrix.columns > fitting() || matrix.rows > kMostRows)
    m.cell = std::max(m.cell, std::ssize(std::string_view(kSkippedText)));
  m.columns = fitting();
  return m;
}

std::string Right(const std::string& text, int64_t width) {
  const std::string cut = DisplayWidth(text) > width ? Fit(text, width) : text;
  return std::string(static_cast<size_t>(width - DisplayWidth(cut)), ' ') + cut;
}

}  // namespace

int64_t DisplayWidth(const std::string& text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

std::string Fit(const std::string& text, int64_t width) {
  std::string fitted = text;
  while (DisplayWidth(fitted) > width) {
    while (!fitted.empty() && (static_cast<unsigned char>(fitted.back()) & 0xc0) == 0x80)
      fitted.pop_back();
    if (!fitted.empty()) fitted.pop_back();
  }
  return fitted + std::string(static_cast<size_t>(width - DisplayWidth(fitted)), ' ');
}

bool FitsWidth(const Matrix& matrix, const BlockStyle& style) {
  return matrix.columns <= Measure(matrix, style).columns;
}

std::vector<std::string> Block(const Matrix& matrix, const BlockStyle& style) {
  const Measures m = Measure(matrix, style);
  const std::vector<int64_t> columns = Chosen(matrix.columns, m.columns, 1);
  std::vector<std::string> lines;
  const auto line = [&](const std::string& label, auto text_of) {
    std::string text = Fit(label, m.label);
    for (const int64_t c : columns)
      text += "  " + Right(c == kSkipped ? kSkippedText : text_of(c), m.cell);
    lines.push_back(std::move(text));
  };
  if (!style.column_labels.empty())
    line("", [&](int64_t c) { return style.column_labels[static_cast<size_t>(c)]; });
  for (const int64_t i : Chosen(matrix.rows, kMostRows, kLastRows)) {
    if (i == kSkipped)
      line("..", [](int64_t) { return kSkippedText; });
    else
      line(style.row_labels.empty() ? "" : style.row_labels[static_cast<size_t>(i)],
           [&](int64_t c) { return Format(matrix.at(i, c), m.decimals, style.numbers); });
  }
  return lines;
}

std::vector<std::string> Beside(const std::vector<std::vector<std::string>>& blocks,
                                const std::string& gap) {
  size_t height = 0;
  for (const auto& block : blocks) height = std::max(height, block.size());
  std::vector<std::string> lines(height);
  for (size_t n = 0; n < blocks.size(); ++n) {
    int64_t width = 0;
    for (const std::string& text : blocks[n]) width = std::max(width, DisplayWidth(text));
    for (size_t i = 0; i < height; ++i)
      lines[i] += (n == 0 ? "" : gap) + Fit(i < blocks[n].size() ? blocks[n][i] : "", width);
  }
  for (std::string& text : lines) text.erase(text.find_last_not_of(' ') + 1);
  return lines;
}

}  // namespace attest::explain
