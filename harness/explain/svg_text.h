// SPDX-License-Identifier: Apache-2.0
//
// What all pictures share: the frame, and text that may hold anything.
#ifndef ATTEST_HARNESS_EXPLAIN_SVG_TEXT_H_
#define ATTEST_HARNESS_EXPLAIN_SVG_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

namespace attest::explain {

// The opening tag and a white ground; sizes in pixels.
std::string SvgStart(double width, double height, const std::string& title);
// One text element, escaped; `more`: further attributes. `anchor`: start, middle or end.
std::string SvgText(double x, double y, const char* anchor, const std::string& text,
                    const std::string& more = "");
// Markup characters replaced; control characters, which XML forbids, by blanks.
std::string EscapeXml(const std::string& text);
// Lines of at most `width` characters, parted at blanks.
std::vector<std::string> WrapText(const std::string& text, int64_t width);

}  // namespace attest::explain

#endif  // ATTEST_HARNESS_EXPLAIN_SVG_TEXT_H_
