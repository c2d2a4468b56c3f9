// SPDX-License-Identifier: Apache-2.0
#include "harness/core/suites.h"

#include <stdexcept>

#include "harness/core/words.h"

namespace attest {

const std::vector<Suite>& AllSuites() {
  static const std::vector<Suite> suites = {
      {"decode",
       "one query row against a long cache of keys, with and without grouped heads",
       {{{"seq", "1"},
         {"kv-len", "1024,4096,16384"},
         {"heads", "32"},
         {"kv-heads", "8,32"},
         {"head-size", "128"}}}},
      {"default",
       "encoder and decoder shapes from 128 to 2048 tokens, one grouped and one decode cell",
       {{{"seq", "128,197,512,1024,2048"},
         {"heads", "12"},
         {"head-size", "64"},
         {"causal", "full,causal"}},
        {{"seq", "128,197,512,1024,2048"},
         {"heads", "8"},
         {"head-size", "128"},
         {"causal", "full,causal"}},
        {{"seq", "1024"},
         {"heads", "32"},
         {"kv-heads", "8"},
         {"head-size", "128"},
         {"causal", "causal"}},
        {{"seq", "1"}, {"kv-len", "4096"}, {"heads", "32"}, {"head-size", "128"}}}},
      {"hostile",
       "odd lengths and sizes, offsets, groups: where kernels break",
       {{{"seq", "1,2,3,15,16,17,31,33,63,65,127,129,197,257"},
         {"heads", "2"},
         {"head-size", "1,3,40,80,128"},
         {"causal", "full,causal"}},
        {{"seq", "1,7,33,129"},
         {"kv-len", "1,16,65,257"},
         {"heads", "2"},
         {"head-size", "40,64"},
         {"causal", "full,causal,bottom_right,-3,+5"}},
        {{"seq", "17,65"},
         {"heads", "6"},
         {"kv-heads", "1,2,6"},
         {"head-size", "64"},
         {"v-head-size", "24,96"},
         {"batch", "1,3"},
         {"causal", "full,causal"}},
        {{"seq", "4099"}, {"heads", "1"}, {"head-size", "72"}, {"causal", "causal"}}}},
      {"peers",
       "shapes of known models, decoding and grouped heads, on every backend, peers included",
       {{{"seq", "128,197,512"}, {"heads", "12"}, {"head-size", "64"}, {"causal", "full"}},
        {{"seq", "2048"}, {"heads", "8"}, {"head-size", "64"}, {"causal", "full,causal"}},
        {{"seq", "4096"}, {"heads", "8"}, {"head-size", "128"}, {"causal", "full,causal"}},
        {{"seq", "1024"},
         {"heads", "32"},
         {"kv-heads", "8"},
         {"head-size", "128"},
         {"causal", "causal"}},
        {{"seq", "1"},
         {"kv-len", "4096"},
         {"heads", "32"},
         {"kv-heads", "8,32"},
         {"head-size", "128"}}},
       true},
      {"smoke",
       "four small cells, a few seconds: does everything work?",
       {{{"seq", "65,128"}, {"heads", "4"}, {"head-size", "64"}, {"causal", "full,causal"}}}},
  };
  return suites;
}

const Suite& FindSuite(std::string_view name) {
  std::vector<std::string> known;
  for (const Suite& suite : AllSuites()) {
    if (suite.name == name) return suite;
    known.push_back(suite.name);
  }
  throw std::invalid_argument(UnknownWord("suite", name, known));
}

}  // namespace attest
