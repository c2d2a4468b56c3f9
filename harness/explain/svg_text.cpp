// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/svg_text.h"

#include <fmt/format.h>

#include "harness/core/words.h"
#include "harness/explain/block.h"

namespace attest::explain {

std::string SvgStart(double width, double height, const std::string& title) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\" aria-label=\"{2}\" "
      "font-family=\"DejaVu Sans, sans-serif\" font-size=\"12\" fill=\"#1b1b1f\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
      width, height, EscapeXml(title));
}

std::string SvgText(double x, double y, const char* anchor, const std::string& text,
                    const std::string& more) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y,
                     anchor, more, EscapeXml(text));
}

std::string EscapeXml(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else if (c == '&')
      escaped += "&amp;";
    else if (c == '"')
      escaped += "&quot;";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      escaped += ' ';
    else
      escaped += c;
  }
  return escaped;
}

std::vector<std::string> WrapText(const std::string& text, int64_t width) {
  std::vector<std::string> lines;
  for (const std::string& word : Split(text, ' ')) {
    if (lines.empty() || DisplayWidth(lines.back()) + 1 + DisplayWidth(word) > width)
      lines.push_back(word);
    else
      lines.back() += " " + word;
  }
  return lines;
}

}  // namespace attest::explain
