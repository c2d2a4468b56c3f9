// SPDX-License-Identifier: Apache-2.0
//
// The grammar of axes, and the cells that they span.
#include "harness/core/sweep.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "harness/core/inputs.h"

namespace attest {
namespace {

using Numbers = std::vector<int64_t>;

std::vector<std::string> Ids(const std::vector<Axes>& blocks, const Axes& overrides = {}) {
  std::vector<std::string> ids;
  for (const Cell& cell : ExpandSweep(blocks, overrides, 1)) ids.push_back(CellId(cell));
  return ids;
}

attest_problem Only(const Axes& axes) {
  const std::vector<Cell> cells = ExpandSweep({axes}, {}, 1);
  EXPECT_EQ(cells.size(), 1U);
  return cells.at(0).problem;
}

TEST(ParseNumbers, ListsAndRanges) {
  EXPECT_EQ(ParseNumbers("seq", "128"), Numbers({128}));
  EXPECT_EQ(ParseNumbers("seq", "128,512,3"), Numbers({128, 512, 3}));
  EXPECT_EQ(ParseNumbers("seq", "128-4096*2"), Numbers({128, 256, 512, 1024, 2048, 4096}));
  EXPECT_EQ(ParseNumbers("seq", "100-1000*3"), Numbers({100, 300, 900}));
  EXPECT_EQ(ParseNumbers("seq", "1024-2048+512"), Numbers({1024, 1536, 2048}));
  EXPECT_EQ(ParseNumbers("seq", "1-8+3,64,7-7*2"), Numbers({1, 4, 7, 64, 7}));
  EXPECT_EQ(ParseNumbers("seq", "9000000000000000000-9200000000000000000*2"),
            Numbers({9000000000000000000}));
}

TEST(ParseNumbers, WhatIsNoneSaysSoWithTheGrammar) {
  for (const char* text : {"", "x", "12x", "1.5", "128-256", "128-256/2", "256-128*2", "1-9*1",
                           "1-9+0", "1-9*", "0-9+1", "-", "1-1000000+1", "99999999999999999999"}) {
    try {
      ParseNumbers("seq", text);
      ADD_FAILURE() << "'" << text << "' was accepted";
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find("--seq"), std::string::npos) << error.what();
    }
  }
}

TEST(ExpandSweep, IsTheProductInOrderOfWork) {
  EXPECT_EQ(
      Ids({{{"seq", "4,2"}, {"heads", "2,1"}, {"head-size", "8"}}}),
      (std::vector<std::string>{"sdpa/f32/b1/h1/kv1/q2/k2/d8", "sdpa/f32/b1/h2/kv2/q2/k2/d8",
                                "sdpa/f32/b1/h1/kv1/q4/k4/d8", "sdpa/f32/b1/h2/kv2/q4/k4/d8"}));
}

TEST(ExpandSweep, DropsDuplicatesButKeepsBlocksInOrder) {
  const Axes a = {{"seq", "8,4"}, {"heads", "1"}, {"head-size", "8"}};
  const Axes b = {{"seq", "2,4"}, {"heads", "1"}, {"head-size", "8"}};
  EXPECT_EQ(Ids({a, b}),
            (std::vector<std::string>{"sdpa/f32/b1/h1/kv1/q4/k4/d8", "sdpa/f32/b1/h1/kv1/q8/k8/d8",
                                      "sdpa/f32/b1/h1/kv1/q2/k2/d8"}));
}

TEST(ExpandSweep, OverridesReplaceAndTakeFollowersAlong) {
  const std::vector<Axes> blocks = {{{"seq", "1"},
                                     {"kv-len", "64"},
                                     {"heads", "8"},
                                     {"kv-heads", "2"},
                                     {"head-size", "16"},
                                     {"v-head-size", "4"}}};
  EXPECT_EQ(Ids(blocks, {{"batch", "2"}}).at(0), "sdpa/f32/b2/h8/kv2/q1/k64/d16/dv4");
  EXPECT_EQ(Ids(blocks, {{"seq", "5"}}).at(0), "sdpa/f32/b1/h8/kv2/q5/k5/d16/dv4");
  EXPECT_EQ(Ids(blocks, {{"heads", "3"}}).at(0), "sdpa/f32/b1/h3/kv3/q1/k64/d16/dv4");
  EXPECT_EQ(Ids(blocks, {{"head-size", "3"}}).at(0), "sdpa/f32/b1/h8/kv2/q1/k64/d3");
  EXPECT_EQ(Ids(blocks, {{"seq", "5"}, {"kv-len", "7"}}).at(0), "sdpa/f32/b1/h8/kv2/q5/k7/d16/dv4");
  EXPECT_EQ(Ids(blocks, {{"kv-len", "7"}}).at(0), "sdpa/f32/b1/h8/kv2/q1/k7/d16/dv4");
}

TEST(ExpandSweep, CausalWordsAndOffsets) {
  const auto offset = [](const std::string& causal) {
    return Only({{"seq", "4"}, {"kv-len", "10"}, {"causal", causal}}).causal_offset;
  };
  EXPECT_EQ(Only({{"causal", "full"}}).is_causal, 0);
  EXPECT_EQ(Only({{"causal", "causal"}}).is_causal, 1);
  EXPECT_EQ(offset("causal"), 0);
  EXPECT_EQ(offset("bottom_right"), 6);
  EXPECT_EQ(offset("+16"), 16);
  EXPECT_EQ(offset("-3"), -3);
  EXPECT_EQ(offset("5"), 5);
  EXPECT_EQ(Only({{"seq", "4"}, {"causal", "bottom_right"}}).causal_offset, 0);
  // Two words that mean the same are one cell.
  EXPECT_EQ(Ids({{{"seq", "4"}, {"causal", "causal,bottom_right,0"}}}).size(), 1U);
}

TEST(ExpandSweep, EveryOtherAxisSetsItsField) {
  EXPECT_EQ(Only({{"window", "64:0"}}).left_window_size, 64);
  EXPECT_EQ(Only({{"window", "64:0"}}).right_window_size, 0);
  EXPECT_EQ(Only({{"window", "-1:3"}}).left_window_size, -1);
  EXPECT_EQ(Only({{"softcap", "30"}}).softcap, 30);
  EXPECT_EQ(Only({{"scale", "none"}}).scale, 1);
  EXPECT_EQ(Only({{"scale", "head"}, {"head-size", "16"}}).scale, 0.25);
  EXPECT_EQ(Only({{"scale", "0.125"}}).scale, 0.125);
  EXPECT_EQ(Only({{"mask", "additive"}}).attn_mask, ATTEST_MASK_ADDITIVE);
  EXPECT_EQ(Only({{"dtype", "bf16"}}).dtype, ATTEST_BF16);
  EXPECT_EQ(Only({{"kv-lengths", "1"}}).has_kv_lengths, 1);
  EXPECT_EQ(Only({{"lse", "1"}, {"weights", "1"}}).outputs,
            static_cast<uint32_t>(ATTEST_OUTPUT_LSE | ATTEST_OUTPUT_WEIGHTS));
  const std::vector<Cell> cells = ExpandSweep({{{"layout", "bsnh"}, {"data", "tiny"}}}, {}, 9);
  EXPECT_EQ(cells.at(0).layout, Layout::kBsnh);
  EXPECT_EQ(cells.at(0).data, "tiny");
  EXPECT_EQ(ExpandSweep({{{"layout", "bsnh_padded"}}}, {}, 9).at(0).layout, Layout::kBsnhPadded);
  EXPECT_EQ(ExpandSweep({{{"mask", "boolean"}, {"mask-shape", "keys"}}}, {}, 9).at(0).mask_shape,
            MaskShape::kKeys);
  EXPECT_EQ(cells.at(0).seed, 9U);
}

TEST(ExpandSweep, AMaskThatIsNotThereHasNoShapes) {
  EXPECT_EQ(Ids({{{"seq", "4"}, {"mask", "none,boolean"}, {"mask-shape", "shared,head,full"}}}),
            (std::vector<std::string>{"sdpa/f32/b1/h12/kv12/q4/k4/d64",
                                      "sdpa/f32/b1/h12/kv12/q4/k4/d64/mask-bool",
                                      "sdpa/f32/b1/h12/kv12/q4/k4/d64/mask-bool-head",
                                      "sdpa/f32/b1/h12/kv12/q4/k4/d64/mask-bool-full"}));
}

TEST(ExpandSweep, EveryKindOfDataIsAValue) {
  for (const std::string& kind : DataKinds())
    EXPECT_EQ(ExpandSweep({{{"data", kind}}}, {}, 1).at(0).data, kind);
}

TEST(ExpandSweep, WrongValuesNameTheNearestKnownOne) {
  const struct {
    const char *axis, *text, *says;
  } cases[] = {{"dtype", "f23", "'f32'"},
               {"mask", "bolean", "'boolean'"},
               {"layout", "bnhs", "'bnsh'"},
               {"mask-shape", "heads", "'head'"},
               {"causal", "caussal", "'causal'"},
               {"op", "spda", "'sdpa'"},
               {"hidden", "768", "--op self_attention"},
               {"bias", "1", "--op self_attention"},
               {"structure", "tied", "'tied_qk'"},
               {"scale", "hidden", "--op self_attention"},
               {"data", "peeky", "'peaky'"},
               {"lse", "yes", "known: 0, 1"},
               {"window", "64", "LEFT:RIGHT"},
               {"scale", "0", "scale"},
               {"softcap", "inf", "softcap"},
               {"window", "-2:0", "window"},
               {"seq", "0", "at least 1"},
               {"kv-heads", "5", "divide"}};
  for (const auto& wrong : cases) {
    try {
      ExpandSweep({{{wrong.axis, wrong.text}}}, {}, 1);
      ADD_FAILURE() << wrong.axis << " " << wrong.text << " was accepted";
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(wrong.says), std::string::npos) << error.what();
    }
  }
}

// Of self_attention with these axes beside it.
attest_problem Layer(Axes axes) {
  axes.insert({{"op", "self_attention"}, {"seq", "6"}});
  return Only(axes);
}

TEST(ExpandSweep, TheLayersSizesFollowOneAnother) {
  EXPECT_EQ(Layer({{"heads", "12"}}).hidden_size, 768);
  EXPECT_EQ(Layer({{"heads", "12"}, {"hidden", "300"}}).head_size, 25);
  EXPECT_EQ(Layer({{"heads", "2"}, {"head-size", "5"}}).hidden_size, 10);
  EXPECT_EQ(Layer({{"heads", "2"}, {"head-size", "5"}, {"hidden", "7"}}).hidden_size, 7);
  EXPECT_EQ(Layer({{"heads", "12"}, {"hidden", "300"}, {"scale", "hidden"}}).scale,
            1 / std::sqrt(300.0));
  EXPECT_EQ(Layer({{"heads", "12"}, {"hidden", "300"}}).scale, 0.2);
  EXPECT_EQ(Layer({}).is_cross, 0);
  EXPECT_EQ(Layer({{"kv-len", "9"}}).is_cross, 1);
  EXPECT_EQ(Layer({{"cross", "1"}}).is_cross, 1);
  EXPECT_EQ(Layer({{"cross", "1"}}).kv_sequence_length, 6);
  EXPECT_EQ(Layer({{"structure", "mean_pool"}}).structure, ATTEST_STRUCTURE_MEAN_POOL);
  EXPECT_EQ(Layer({{"bias", "1"}}).has_bias, 1);
  EXPECT_EQ(Layer({{"out-proj", "1"}}).has_output_projection, 1);
  EXPECT_EQ(Ids({{{"op", "self_attention"},
                  {"seq", "6"},
                  {"heads", "2"},
                  {"hidden", "8"},
                  {"bias", "0,1"},
                  {"structure", "full,tied_qk"}}}),
            (std::vector<std::string>{"self_attention/f32/b1/h2/kv2/q6/k6/d4/e8",
                                      "self_attention/f32/b1/h2/kv2/q6/k6/d4/e8/tied_qk",
                                      "self_attention/f32/b1/h2/kv2/q6/k6/d4/e8/bias",
                                      "self_attention/f32/b1/h2/kv2/q6/k6/d4/e8/tied_qk/bias"}));
}

TEST(ExpandSweep, LayersThatCannotBeSayWhatIsNeeded) {
  const struct {
    Axes axes;
    const char* says;
  } cases[] = {
      {{{"hidden", "300"}, {"heads", "7"}}, "hidden_size is 300, which 7 heads do not"},
      {{{"structure", "parameter_free"}, {"bias", "1"}}, "neither biases nor"},
      {{{"structure", "parameter_free"}, {"hidden", "100"}, {"head-size", "64"}}, "12 x 64 = 768"},
      {{{"structure", "tied_qk"}, {"kv-heads", "3"}}, "kv_num_heads is 3"},
      {{{"layout", "bsnh"}}, "bnsh_padded"},
      {{{"data", "rising"}}, "rising"},
      {{{"hidden", "0"}}, "at least 1"}};
  for (const auto& wrong : cases) {
    try {
      Layer(wrong.axes);
      ADD_FAILURE() << wrong.says << ": accepted";
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(wrong.says), std::string::npos) << error.what();
    }
  }
}

TEST(ExpandSweep, UnknownAxesNameTheNearestKnownOne) {
  for (const bool in_block : {false, true}) {
    const Axes wrong = {{"head-sise", "8"}};
    try {
      ExpandSweep({in_block ? wrong : Axes()}, in_block ? Axes() : wrong, 1);
      ADD_FAILURE();
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find("did you mean 'head-size'"), std::string::npos);
    }
  }
}

TEST(ExpandSweep, RefusesMoreCellsThanAnybodyWaitsFor) {
  EXPECT_THROW(Ids({{{"seq", "1-1000+1"}, {"heads", "1-1000+1"}}}), std::invalid_argument);
}

TEST(AllAxes, AreNamedAndDescribed) {
  for (const AxisInfo& axis : AllAxes()) EXPECT_FALSE(axis.description.empty()) << axis.name;
  EXPECT_EQ(AllAxes().front().name, "seq");
}

}  // namespace
}  // namespace attest
