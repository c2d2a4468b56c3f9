// SPDX-License-Identifier: Apache-2.0
//
// No locale is asked: the decimal sign is a point everywhere.
#include "harness/report/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace attest::report {
namespace {

// 1.23, 12.3, 123, 1234: three digits, more only before the point.
std::string ThreeDigits(double value) {
  const double size = std::fabs(value);
  if (size >= 99.95) return fmt::format("{:.0f}", value);
  return size >= 9.995 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
}

std::string Pad(const std::string& text, size_t width, Align align) {
  return align == Align::kLeft ? fmt::format("{:<{}}", text, width)
                               : fmt::format("{:>{}}", text, width);
}

std::string JoinLine(const std::vector<Column>& columns, const std::vector<size_t>& widths,
                     const std::vector<std::string>& texts) {
  std::string line;
  for (size_t i = 0; i < columns.size(); ++i)
    line += (i ? "  " : "") + Pad(texts[i], widths[i], columns[i].align);
  return line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

}  // namespace

std::string FormatSeconds(double seconds) {
  if (!std::isfinite(seconds)) return fmt::format("{}", seconds);
  if (seconds < 999.5e-9) return ThreeDigits(seconds * 1e9) + " ns";
  if (seconds < 999.5e-6) return ThreeDigits(seconds * 1e6) + " us";
  if (seconds < 999.5e-3) return ThreeDigits(seconds * 1e3) + " ms";
  return ThreeDigits(seconds) + " s";
}

std::string FormatPercent(double fraction) { return fmt::format("{:.1f} %", 100 * fraction); }

std::string FormatNumber(double value) {
  if (!std::isfinite(value)) return fmt::format("{}", value);
  if (value == 0) return "0";
  const double size = std::fabs(value);
  if (size >= 1e5 || size < 1e-3) return fmt::format("{:.1e}", value);
  return size < 0.9995 ? fmt::format("{:.3f}", value) : ThreeDigits(value);
}

std::string OneLine(std::string_view text) {
  std::string line;
  for (char letter : text) {
    const bool blank = static_cast<unsigned char>(letter) <= ' ' || letter == 0x7f;
    if (!blank)
      line += letter;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  return line.substr(0, line.find_last_not_of(' ') + 1);
}

std::string Shorten(const std::string& text, size_t width) {
  constexpr size_t kDots = 3;
  if (text.size() <= width || width <= kDots) return text.substr(0, width);
  const size_t tail = (width - kDots) / 2, head = width - kDots - tail;
  return text.substr(0, head) + "..." + text.substr(text.size() - tail);
}

std::string LayOut(const std::vector<Column>& columns,
                   const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  std::vector<std::string> titles;
  for (size_t i = 0; i < columns.size(); ++i) {
    size_t width = columns[i].title.size();
    for (const auto& row : rows) width = std::max(width, row[i].size());
    widths.push_back(width);
    titles.push_back(columns[i].title);
  }
  std::string text = JoinLine(columns, widths, titles);
  size_t total = 2 * (columns.size() - 1);
  for (size_t width : widths) total += width;
  text += std::string(total, '-') + "\n";
  for (const auto& row : rows) text += JoinLine(columns, widths, row);
  return text;
}

}  // namespace attest::report
