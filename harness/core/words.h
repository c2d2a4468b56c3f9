// SPDX-License-Identifier: Apache-2.0
//
// Small text tools: the nearest known word for an error message, and glob patterns for labels.
#ifndef ATTEST_HARNESS_CORE_WORDS_H_
#define ATTEST_HARNESS_CORE_WORDS_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace attest {

// The known word with the least edit distance (insert, delete, replace, swap of neighbours); "" for
// none.
std::string NearestWord(std::string_view word, std::span<const std::string> known);
// "unknown suite 'smok': did you mean 'smoke'? (known: default, hostile, smoke)"
std::string UnknownWord(std::string_view what, std::string_view word,
                        std::span<const std::string> known);
// '*' matches any run of characters, everything else itself.
bool MatchesGlob(std::string_view pattern, std::string_view text);
// Pieces between separators; an empty text has none.
std::vector<std::string> Split(std::string_view text, char separator);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_WORDS_H_
