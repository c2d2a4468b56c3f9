// SPDX-License-Identifier: Apache-2.0
//
// Suites are what the documentation says, and every cell of each is a problem.
#include "harness/core/suites.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace attest {
namespace {

std::set<std::string> Ids(const char* suite) {
  std::set<std::string> ids;
  for (const Cell& cell : ExpandSweep(FindSuite(suite).blocks, {}, 1)) ids.insert(CellId(cell));
  return ids;
}

TEST(Suites, AreAlphabeticalAndDescribed) {
  std::vector<std::string> names;
  for (const Suite& suite : AllSuites()) {
    names.push_back(suite.name);
    EXPECT_FALSE(suite.description.empty()) << suite.name;
    EXPECT_FALSE(ExpandSweep(suite.blocks, {}, 1).empty()) << suite.name;
  }
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

TEST(Suites, OnlyPeersMeasuresBackendsThatAreUsedOnRequest) {
  for (const Suite& suite : AllSuites())
    EXPECT_EQ(suite.with_peers, suite.name == "peers") << suite.name;
  EXPECT_EQ(Ids("peers").size(), 11U);
  EXPECT_EQ(Ids("peers").count("self_attention/f32/b1/h12/kv12/q512/k512/d64/e768/bias/wo"), 1U);
}

TEST(Suites, DefaultIsExactlyItsTwentyTwoCells) {
  std::set<std::string> expected = {"sdpa/f32/b1/h32/kv8/q1024/k1024/d128/causal+0",
                                    "sdpa/f32/b1/h32/kv32/q1/k4096/d128"};
  for (const std::string length : {"128", "197", "512", "1024", "2048"})
    for (const auto& [heads, size] : {std::pair{"12", "64"}, std::pair{"8", "128"}})
      for (const std::string causal : {"", "/causal+0"})
        expected.insert(std::string("sdpa/f32/b1/h") + heads + "/kv" + heads + "/q" + length +
                        "/k" + length + "/d" + size + causal);
  EXPECT_EQ(expected.size(), 22U);
  EXPECT_EQ(Ids("default"), expected);
}

TEST(Suites, SmokeIsSmall) {
  const std::vector<Cell> cells = ExpandSweep(FindSuite("smoke").blocks, {}, 1);
  EXPECT_GE(cells.size(), 2U);
  EXPECT_LE(cells.size(), 4U);
  for (const Cell& cell : cells) EXPECT_LE(cell.problem.q_sequence_length, 256);
}

TEST(Suites, HostileHasWhatBreaksKernels) {
  const std::vector<Cell> cells = ExpandSweep(FindSuite("hostile").blocks, {}, 1);
  std::set<int64_t> lengths, sizes;
  bool grouped = false, other_value_size = false, negative = false, shorter = false, longer = false,
       dead_rows = false;
  for (const Cell& cell : cells) {
    const attest_problem& p = cell.problem;
    lengths.insert(p.q_sequence_length);
    sizes.insert(p.head_size);
    grouped |= p.kv_num_heads != p.q_num_heads && p.kv_num_heads != 1;
    other_value_size |= p.v_head_size != p.head_size;
    negative |= p.is_causal && p.causal_offset < 0;
    shorter |= p.q_sequence_length > 1 && p.q_sequence_length < p.kv_sequence_length;
    longer |= p.q_sequence_length > p.kv_sequence_length;
    dead_rows |= p.is_causal && p.causal_offset <= -1;
  }
  for (const int64_t length : {1, 2, 3, 15, 16, 17, 31, 33, 63, 65, 127, 129, 197, 257})
    EXPECT_TRUE(lengths.count(length)) << length;
  for (const int64_t size : {1, 3, 40, 80, 128}) EXPECT_TRUE(sizes.count(size)) << size;
  EXPECT_TRUE(grouped && other_value_size && negative && shorter && longer && dead_rows);
}

TEST(Suites, DecodeHasOneQueryRow) {
  for (const Cell& cell : ExpandSweep(FindSuite("decode").blocks, {}, 1)) {
    EXPECT_EQ(cell.problem.q_sequence_length, 1);
    EXPECT_GT(cell.problem.kv_sequence_length, 256);
  }
}

TEST(Suites, LayersAreThoseOfTheirModels) {
  using Set = std::set<std::string>;
  EXPECT_EQ(Ids("bert"),
            Set({"self_attention/f32/b1/h12/kv12/q128/k128/d64/e768/bias/wo",
                 "self_attention/f32/b1/h12/kv12/q384/k384/d64/e768/bias/wo",
                 "self_attention/f32/b1/h12/kv12/q512/k512/d64/e768/bias/wo",
                 "sdpa/f32/b1/h12/kv12/q128/k128/d64", "sdpa/f32/b1/h12/kv12/q384/k384/d64",
                 "sdpa/f32/b1/h12/kv12/q512/k512/d64"}));
  EXPECT_EQ(Ids("vit"), Set({"self_attention/f32/b1/h12/kv12/q197/k197/d64/e768/bias/wo",
                             "sdpa/f32/b1/h12/kv12/q197/k197/d64"}));
  EXPECT_EQ(
      Ids("llama3-8b"),
      Set({"self_attention/f32/b1/h32/kv8/q512/k512/d128/e4096/wo/causal+0",
           "self_attention/f32/b1/h32/kv8/q2048/k2048/d128/e4096/wo/causal+0",
           "sdpa/f32/b1/h32/kv8/q512/k512/d128/causal+0",
           "sdpa/f32/b1/h32/kv8/q2048/k2048/d128/causal+0", "sdpa/f32/b1/h32/kv8/q1/k4096/d128"}));
  EXPECT_EQ(Ids("seeds").count("self_attention/f32/b1/h12/kv12/q6/k6/d25/e300/bias"), 1U);
  EXPECT_EQ(Ids("seeds").count("self_attention/f32/b1/h1/kv1/q3/k3/d3/e3/mean_pool"), 1U);
  EXPECT_EQ(Ids("seeds").size(), 8U);
  for (const Cell& cell : ExpandSweep(FindSuite("cross").blocks, {}, 1)) {
    const bool layer = cell.problem.op == ATTEST_OP_SELF_ATTENTION;
    EXPECT_EQ(cell.problem.is_cross, layer ? 1 : 0);
  }
}

TEST(Suites, UnknownNameNamesTheNearest) {
  try {
    FindSuite("smoek");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'smoke'"), std::string::npos);
  }
}

}  // namespace
}  // namespace attest
