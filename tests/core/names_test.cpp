// SPDX-License-Identifier: Apache-2.0
//
// Words and the numbers they stand for, both ways.
#include "harness/core/names.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace attest {
namespace {

TEST(Names, TypesGoBothWays) {
  for (const int32_t dtype :
       {ATTEST_F32, ATTEST_F16, ATTEST_BF16, ATTEST_F64, ATTEST_I64, ATTEST_BOOL})
    EXPECT_EQ(DtypeFromName(DtypeName(dtype)), dtype);
  EXPECT_EQ(DtypeName(ATTEST_BF16), "bf16");
  EXPECT_THROW(DtypeFromName("float"), std::invalid_argument);
  EXPECT_THROW(DtypeName(99), std::invalid_argument);
}

TEST(Names, TypesHaveTheirSizes) {
  EXPECT_EQ(DtypeBytes(ATTEST_F32), 4U);
  EXPECT_EQ(DtypeBytes(ATTEST_F16), 2U);
  EXPECT_EQ(DtypeBytes(ATTEST_BF16), 2U);
  EXPECT_EQ(DtypeBytes(ATTEST_F64), 8U);
  EXPECT_EQ(DtypeBytes(ATTEST_I64), 8U);
  EXPECT_EQ(DtypeBytes(ATTEST_BOOL), 1U);
}

TEST(Names, OfEverythingElse) {
  EXPECT_EQ(OpName(ATTEST_OP_SDPA), "sdpa");
  EXPECT_EQ(OpName(ATTEST_OP_SELF_ATTENTION), "self_attention");
  EXPECT_EQ(FormatName(ATTEST_FORMAT_NONE), "none");
  EXPECT_EQ(FormatName(ATTEST_FORMAT_TF32), "tf32");
  EXPECT_EQ(MaskName(ATTEST_MASK_ADDITIVE), "additive");
  EXPECT_EQ(StructureName(ATTEST_STRUCTURE_TIED_QK), "tied_qk");
  EXPECT_EQ(LayoutName(Layout::kBnsh), "bnsh");
  EXPECT_EQ(LayoutName(Layout::kBsnh), "bsnh");
  EXPECT_EQ(RoleName(ATTEST_ROLE_Q), "q");
  EXPECT_EQ(RoleName(ATTEST_ROLE_WEIGHTS), "weights");
}

TEST(Names, NumbersWithoutAWordAreRefused) {
  EXPECT_THROW(OpName(0), std::invalid_argument);
  EXPECT_THROW(FormatName(-1), std::invalid_argument);
  EXPECT_THROW(FormatName(6), std::invalid_argument);
  EXPECT_THROW(MaskName(3), std::invalid_argument);
  EXPECT_THROW(StructureName(4), std::invalid_argument);
  EXPECT_THROW(RoleName(19), std::invalid_argument);
}

TEST(Names, OutputsAreTheThreeResults) {
  for (int32_t role = ATTEST_ROLE_Q; role <= ATTEST_ROLE_WEIGHTS; ++role)
    EXPECT_EQ(IsOutput(role),
              role == ATTEST_ROLE_OUT || role == ATTEST_ROLE_LSE || role == ATTEST_ROLE_WEIGHTS)
        << RoleName(role);
}

}  // namespace
}  // namespace attest
