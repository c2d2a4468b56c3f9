// SPDX-License-Identifier: Apache-2.0
//
// Text in Markdown of GitHub's and GitLab's dialects. Text of reports may hold anything; here it
// stays text.
#ifndef ATTEST_HARNESS_REPORT_MARKDOWN_H_
#define ATTEST_HARNESS_REPORT_MARKDOWN_H_

#include <string>
#include <string_view>

namespace attest::report {

// On one line, with all that means something to Markdown or HTML escaped.
std::string EscapeMarkdown(std::string_view text);
// On one line between backquotes, which become apostrophes inside; '|' is escaped, for tables.
std::string MarkdownCode(std::string_view text);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_MARKDOWN_H_
