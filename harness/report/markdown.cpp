// SPDX-License-Identifier: Apache-2.0
#include "harness/report/markdown.h"

#include "harness/report/format.h"

namespace attest::report {

std::string EscapeMarkdown(std::string_view text) {
  std::string escaped;
  for (char letter : OneLine(text)) {
    if (letter == '<')
      escaped += "&lt;";
    else if (letter == '&')
      escaped += "&amp;";
    else if (std::string_view("|*_`[]\\~#").find(letter) != std::string_view::npos)
      escaped += {'\\', letter};
    else
      escaped += letter;
  }
  return escaped;
}

std::string MarkdownCode(std::string_view text) {
  std::string code;
  for (char letter : OneLine(text)) {
    if (letter == '`')
      code += '\'';
    else if (letter == '|')
      code += "\\|";
    else
      code += letter;
  }
  return "`" + code + "`";
}

}  // namespace attest::report
