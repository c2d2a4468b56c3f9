// SPDX-License-Identifier: Apache-2.0
//
// Input values: the same bits on every machine and for any number of threads.
#include "harness/core/inputs.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <stdexcept>

#include "harness/core/convert.h"
#include "harness/core/problem.h"
#include "harness/core/tensors.h"

namespace attest {
namespace {

attest_problem SmallProblem(int32_t dtype) {
  attest_problem problem = DefaultProblem();
  problem.dtype = dtype;
  problem.batch_size = 2;
  problem.q_num_heads = 3;
  problem.q_sequence_length = 129;
  problem.head_size = 17;
  problem.kv_num_heads = problem.kv_sequence_length = problem.v_head_size = 0;
  ResolveProblem(problem);
  return problem;
}

attest_tensor Find(const std::vector<attest_tensor>& tensors, int32_t role) {
  for (const attest_tensor& tensor : tensors)
    if (tensor.role == role) return tensor;
  throw std::invalid_argument("no such tensor");
}

std::vector<uint8_t> Fill(const attest_problem& problem, int32_t role, const std::string& kind,
                          uint64_t seed, unsigned threads, Layout layout = Layout::kBnsh) {
  attest_tensor tensor = Find(DescribeTensors(problem, layout), role);
  std::vector<uint8_t> memory(static_cast<size_t>(ExtentElements(tensor)) *
                              DtypeBytes(tensor.dtype));
  tensor.data = memory.data();
  FillInput(problem, tensor, kind, seed, threads);
  return memory;
}

uint64_t Checksum(const std::vector<uint8_t>& bytes) {  // FNV-1a
  uint64_t hash = 0xcbf29ce484222325;
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

// Q, K and V after one another.
uint64_t ChecksumOf(const std::string& kind, int32_t dtype) {
  std::vector<uint8_t> all;
  for (const int32_t role : {ATTEST_ROLE_Q, ATTEST_ROLE_K, ATTEST_ROLE_V})
    for (const uint8_t byte : Fill(SmallProblem(dtype), role, kind, 1, 1)) all.push_back(byte);
  return Checksum(all);
}

// What anybody must get for seed 1. A change here changes every published result: do not.
const std::map<std::string, std::array<uint64_t, 4>> kPublished = {
    {"cancelling",
     {0x1a8f86f0e7f1c7e9, 0xcdea62bfd846ec5b, 0x75c533dc795b7c26, 0x46441f21c6441ebb}},
    {"constant_v",
     {0xd1e8f6c415c6a6c4, 0x1ce284bed407da57, 0x8a0d21a02bb07bfe, 0x7ebbc938f2646ca4}},
    {"falling", {0xccde944fe1ee8927, 0xde71413356e48ecd, 0xd3d4873a20ea5fd1, 0x4cac70524d868d34}},
    {"large_scores",
     {0x96983d0f880fae8, 0x30b949c485191b1e, 0xd0f5954fae1a9b36, 0x8a15fb38b530a66c}},
    {"normal", {0x91d94bbdc30903fb, 0x918191cd726b24a5, 0xb7ea3c025095286b, 0x8e620d5a615719b3}},
    {"offset_v", {0x20718a30b18dd4ea, 0xeb3e5d5f7f1ba859, 0x4fd289615fea2cf5, 0xa25f9508a9a55d37}},
    {"peaky", {0x4195fae7e20195c0, 0xb5cf941cd54628f0, 0x3b57749a7087be3b, 0x52d3dd6e67ecd6c0}},
    {"range", {0xa00054934fc7eb64, 0xf7a79a1a18590b05, 0x488333c38011c686, 0x82bdd34c3e9ade2e}},
    {"rising", {0x79164f9d87cd9519, 0x6f07258f069299a, 0x5c1d366db2bd2aee, 0xd64c0bd2f1faa365}},
    {"tiny", {0x815cceac4cf9710, 0xadcabb28748f705a, 0xe52759662947738a, 0xfdedb023fa5203b7}},
    {"uniform01", {0xa0ecf7f1500454c3, 0xa977b62733eeac1a, 0x81e8e87aa12c1100, 0xce8b917f38503392}},
    {"uniform11", {0xe5737347ac4ecc78, 0x315c5bf63253b5e5, 0x9ee7dea297794a3, 0x74e9f82fd988668}},
};

TEST(Inputs, HaveThePublishedChecksums) {
  const int32_t dtypes[] = {ATTEST_F32, ATTEST_F16, ATTEST_BF16, ATTEST_F64};
  for (const std::string& kind : DataKinds()) {
    ASSERT_TRUE(kPublished.count(kind)) << kind << " has no published checksums";
    for (size_t i = 0; i < 4; ++i)
      EXPECT_EQ(ChecksumOf(kind, dtypes[i]), kPublished.at(kind)[i])
          << kind << " " << DtypeName(dtypes[i]) << std::hex << " 0x"
          << ChecksumOf(kind, dtypes[i]);
  }
  EXPECT_EQ(kPublished.size(), DataKinds().size());
}

TEST(Inputs, DoNotDependOnTheNumberOfThreads) {
  for (const std::string& kind : DataKinds())
    for (const unsigned threads : {2U, 3U, 64U})
      EXPECT_EQ(Fill(SmallProblem(ATTEST_F32), ATTEST_ROLE_K, kind, 7, 1),
                Fill(SmallProblem(ATTEST_F32), ATTEST_ROLE_K, kind, 7, threads))
          << kind << " " << threads;
}

TEST(Inputs, DifferBySeedRoleAndPosition) {
  const attest_problem problem = SmallProblem(ATTEST_F32);
  const auto q = Fill(problem, ATTEST_ROLE_Q, "normal", 1, 1);
  EXPECT_NE(q, Fill(problem, ATTEST_ROLE_Q, "normal", 2, 1));
  EXPECT_NE(q, Fill(problem, ATTEST_ROLE_K, "normal", 1, 1));
  EXPECT_NE(HashBits(1, 2, 3), HashBits(1, 2, 4));
  EXPECT_NE(HashBits(1, 2, 3), HashBits(1, 3, 3));
  EXPECT_NE(HashBits(1, 2, 3), HashBits(2, 2, 3));
}

TEST(Inputs, HaveTheSameValuesInEveryLayout) {
  const attest_problem problem = SmallProblem(ATTEST_F32);
  const auto bnsh = Fill(problem, ATTEST_ROLE_Q, "normal", 1, 1, Layout::kBnsh);
  const auto bsnh = Fill(problem, ATTEST_ROLE_Q, "normal", 1, 1, Layout::kBsnh);
  const attest_tensor a = Find(DescribeTensors(problem, Layout::kBnsh), ATTEST_ROLE_Q);
  const attest_tensor b = Find(DescribeTensors(problem, Layout::kBsnh), ATTEST_ROLE_Q);
  for (int64_t h = 0; h < a.shape[1]; ++h)
    for (int64_t i = 0; i < a.shape[2]; ++i)
      ASSERT_EQ(LoadElement(bnsh.data(), ATTEST_F32,
                            a.strides[0] + h * a.strides[1] + i * a.strides[2] + 5),
                LoadElement(bsnh.data(), ATTEST_F32,
                            b.strides[0] + h * b.strides[1] + i * b.strides[2] + 5));
}

struct Moments {
  double mean = 0, variance = 0, least = HUGE_VAL, most = -HUGE_VAL;
};
Moments MomentsOf(const std::string& kind, int32_t role) {
  const auto memory = Fill(SmallProblem(ATTEST_F64), role, kind, 1, 1);
  const auto count = static_cast<int64_t>(memory.size() / 8);
  Moments moments;
  for (int64_t i = 0; i < count; ++i) {
    const double value = LoadElement(memory.data(), ATTEST_F64, i);
    moments.mean += value / static_cast<double>(count);
    moments.variance += value * value / static_cast<double>(count);
    moments.least = std::min(moments.least, value);
    moments.most = std::max(moments.most, value);
  }
  moments.variance -= moments.mean * moments.mean;
  return moments;
}

// 13158 values: five standard errors are 0.044 of the mean and 0.062 of the variance.
TEST(Inputs, NormalHasMeanZeroAndVarianceOne) {
  for (const int32_t role : {ATTEST_ROLE_Q, ATTEST_ROLE_K, ATTEST_ROLE_V}) {
    const Moments moments = MomentsOf("normal", role);
    EXPECT_NEAR(moments.mean, 0, 0.044);
    EXPECT_NEAR(moments.variance, 1, 0.062);
    EXPECT_LE(std::max(-moments.least, moments.most), 6);
  }
}

TEST(Inputs, UniformKindsKeepTheirRange) {
  const Moments zero_one = MomentsOf("uniform01", ATTEST_ROLE_Q),
                both = MomentsOf("uniform11", ATTEST_ROLE_Q);
  EXPECT_GE(zero_one.least, 0);
  EXPECT_LT(zero_one.most, 1);
  EXPECT_NEAR(zero_one.mean, 0.5, 0.013);
  EXPECT_GE(both.least, -1);
  EXPECT_LT(both.most, 1);
  EXPECT_NEAR(both.variance, 1.0 / 3, 0.013);
}

TEST(Inputs, StayFiniteInEveryType) {
  for (const std::string& kind : DataKinds())
    for (const int32_t dtype : {ATTEST_F32, ATTEST_F16, ATTEST_BF16, ATTEST_F64})
      for (const int32_t role : {ATTEST_ROLE_Q, ATTEST_ROLE_K, ATTEST_ROLE_V}) {
        const auto memory = Fill(SmallProblem(dtype), role, kind, 3, 1);
        const auto count = static_cast<int64_t>(memory.size() / DtypeBytes(dtype));
        for (int64_t i = 0; i < count; ++i)
          ASSERT_TRUE(std::isfinite(LoadElement(memory.data(), dtype, i))) << kind << " " << dtype;
      }
}

TEST(Inputs, MasksAndLengths) {
  attest_problem problem = SmallProblem(ATTEST_F32);
  problem.attn_mask = ATTEST_MASK_BOOLEAN;
  problem.has_kv_lengths = 1;
  const auto mask = Fill(problem, ATTEST_ROLE_MASK, "normal", 1, 1);
  double ones = 0;
  for (const uint8_t byte : mask) {
    ASSERT_LE(byte, 1);
    ones += byte;
  }
  EXPECT_NEAR(ones / static_cast<double>(mask.size()), 0.75, 0.02);
  const auto lengths = Fill(problem, ATTEST_ROLE_KV_LENGTHS, "normal", 1, 1);
  for (size_t i = 0; i < lengths.size() / 8; ++i) {
    int64_t length = 0;
    std::memcpy(&length, lengths.data() + 8 * i, 8);
    EXPECT_GE(length, 1);
    EXPECT_LE(length, problem.kv_sequence_length);
  }
}

TEST(Inputs, UnknownKindNamesTheNearest) {
  try {
    (void)DataKindDescription("peeky");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'peaky'"), std::string::npos);
  }
  for (const std::string& kind : DataKinds()) EXPECT_FALSE(DataKindDescription(kind).empty());
}

}  // namespace
}  // namespace attest
