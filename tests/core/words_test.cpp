// SPDX-License-Identifier: Apache-2.0
//
// Nearest words, patterns, pieces.
#include "harness/core/words.h"

#include <gtest/gtest.h>

namespace attest {
namespace {

const std::vector<std::string> kKnown = {"default", "hostile", "smoke"};

TEST(NearestWord, TakesTheLeastNumberOfTypingErrors) {
  EXPECT_EQ(NearestWord("smoke", kKnown), "smoke");
  EXPECT_EQ(NearestWord("smok", kKnown), "smoke");
  EXPECT_EQ(NearestWord("smokee", kKnown), "smoke");
  EXPECT_EQ(NearestWord("snoke", kKnown), "smoke");
  EXPECT_EQ(NearestWord("hsotile", kKnown), "hostile");
  EXPECT_EQ(NearestWord("", {}), "");
}

// A swap counts once: as two replacements it would lose against the other word.
TEST(NearestWord, SwappedNeighboursAreOneError) {
  const std::vector<std::string> known = {"ax", "ba"};
  EXPECT_EQ(NearestWord("ab", known), "ax");  // a tie at 1: the first
  const std::vector<std::string> longer = {"abcxy", "badc"};
  EXPECT_EQ(NearestWord("abcd", longer), "abcxy");
  const std::vector<std::string> swapped = {"axcx", "abdc"};
  EXPECT_EQ(NearestWord("abcd", swapped), "abdc");
}

TEST(UnknownWord, SaysWhatIsKnown) {
  EXPECT_EQ(UnknownWord("suite", "smok", kKnown),
            "unknown suite 'smok': did you mean 'smoke'? (known: default, hostile, smoke)");
}

TEST(MatchesGlob, StarIsAnyRun) {
  EXPECT_TRUE(MatchesGlob("*", ""));
  EXPECT_TRUE(MatchesGlob("a*c", "ac"));
  EXPECT_TRUE(MatchesGlob("a*c", "abcbc"));
  EXPECT_TRUE(MatchesGlob("**b", "aab"));
  EXPECT_TRUE(MatchesGlob("one:two", "one:two"));
  EXPECT_FALSE(MatchesGlob("one", "one:two"));
  EXPECT_FALSE(MatchesGlob("a*c", "abcd"));
  EXPECT_FALSE(MatchesGlob("", "a"));
  EXPECT_FALSE(MatchesGlob("a.c", "abc"));
}

TEST(Split, GivesThePieces) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(Split("", ','), Words());
  EXPECT_EQ(Split("a", ','), Words({"a"}));
  EXPECT_EQ(Split("a,b,,c", ','), Words({"a", "b", "", "c"}));
  EXPECT_EQ(Split("64:0", ':'), Words({"64", "0"}));
}

}  // namespace
}  // namespace attest
