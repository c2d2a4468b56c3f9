// SPDX-License-Identifier: Apache-2.0
#include "harness/core/suites.h"

#include <stdexcept>

#include "harness/core/words.h"

namespace attest {

namespace {

// A Transformer block's attention and, beside it, what of its time is not linear maps.
std::vector<Axes> WithSdpa(Axes sdpa) {
  Axes layer = sdpa;
  layer.insert({{"op", "self_attention"}, {"bias", "1"}, {"out-proj", "1"}});
  sdpa.erase("hidden");
  sdpa.erase("cross");
  sdpa["head-size"] = "64";
  return {layer, sdpa};
}

}  // namespace

const std::vector<Suite>& AllSuites() {
  static const std::vector<Suite> suites = {
      {"bert",
       "the self-attention layer of BERT-base (hidden 768, 12 heads of 64, biases, output "
       "projection) at 128, 384 and 512 tokens, and its sdpa alone",
       WithSdpa({{"seq", "128,384,512"}, {"heads", "12"}, {"hidden", "768"}})},
      {"cross",
       "cross-attention: one or more queries of a decoder against an encoder's states, and its "
       "sdpa alone",
       WithSdpa({{"seq", "1,16,128"},
                 {"kv-len", "128,512"},
                 {"heads", "12"},
                 {"hidden", "768"},
                 {"cross", "1"}})},
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
      {"llama3-8b",
       "the layer of Llama 3 8B (hidden 4096, 32 query heads, 8 key and value heads, 128): prefill "
       "of 512 and 2048 tokens, its sdpa alone, and decoding at 4096 cached keys, which is sdpa",
       {{{"op", "self_attention"},
         {"seq", "512,2048"},
         {"heads", "32"},
         {"kv-heads", "8"},
         {"hidden", "4096"},
         {"out-proj", "1"},
         {"causal", "causal"}},
        {{"seq", "512,2048"},
         {"heads", "32"},
         {"kv-heads", "8"},
         {"head-size", "128"},
         {"causal", "causal"}},
        {{"seq", "1"},
         {"kv-len", "4096"},
         {"heads", "32"},
         {"kv-heads", "8"},
         {"head-size", "128"}}}},
      {"peers",
       "shapes of known models, decoding, grouped heads and a layer, on every backend, peers "
       "included",
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
         {"head-size", "128"}},
        {{"op", "self_attention"},
         {"seq", "512"},
         {"heads", "12"},
         {"hidden", "768"},
         {"bias", "1"},
         {"out-proj", "1"}}},
       true},
      {"seeds",
       "the layers people read about first: six tokens of width 768 and 300, three of width 3",
       {{{"op", "self_attention"},
         {"seq", "6"},
         {"heads", "1,12"},
         {"hidden", "300,768"},
         {"bias", "1"}},
        {{"op", "self_attention"},
         {"seq", "3"},
         {"heads", "1"},
         {"hidden", "3"},
         {"structure", "full,tied_qk,parameter_free,mean_pool"}}}},
      {"smoke",
       "four small cells, a few seconds: does everything work?",
       {{{"seq", "65,128"}, {"heads", "4"}, {"head-size", "64"}, {"causal", "full,causal"}}}},
      {"study-pool",
       "how far the layer's output is from the mean of V: equal weights, and by relevance under "
       "growing scales",
       {{{"op", "self_attention"},
         {"structure", "mean_pool"},
         {"seq", "64"},
         {"heads", "4"},
         {"hidden", "256"},
         {"weights", "1"}},
        {{"op", "self_attention"},
         {"scale", "0.0078125,0.03125,head,0.5"},
         {"seq", "64"},
         {"heads", "4"},
         {"hidden", "256"},
         {"weights", "1"}}}},
      {"study-scale",
       "what dividing by sqrt(d) does: weights at head sizes 16 to 1024 with and without it",
       {{{"seq", "64"},
         {"heads", "4"},
         {"head-size", "16-1024*2"},
         {"scale", "head,none"},
         {"weights", "1"}}}},
      {"study-tied",
       "what one map for Q and K does: scores and weights with maps of their own, one, and none",
       {{{"op", "self_attention"},
         {"structure", "full,tied_qk,parameter_free"},
         {"seq", "64"},
         {"heads", "4"},
         {"hidden", "256"},
         {"lse", "1"},
         {"weights", "1"}}}},
      {"vit",
       "the self-attention layer of ViT-B/16 (197 tokens, hidden 768, 12 heads of 64, biases, "
       "output projection), and its sdpa alone",
       WithSdpa({{"seq", "197"}, {"heads", "12"}, {"hidden", "768"}})},
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
