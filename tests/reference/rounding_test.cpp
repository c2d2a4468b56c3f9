// SPDX-License-Identifier: Apache-2.0
//
// Contracts become roundings as the header says, and contradictions are refused.
#include "reference/rounding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "reference/oracle.h"

namespace attest::reference {
namespace {

attest_contract F32Contract() {
  attest_contract contract{};
  contract.accumulate = ATTEST_FORMAT_F32;
  return contract;
}

TEST(RoundingOf, PlainF32) {
  const Rounding r = RoundingOf(F32Contract(), ATTEST_F32);
  EXPECT_EQ(r, (Rounding{.u_acc = 0x1p-24,
                         .u_out = 0x1p-24,
                         .eps_exp = 0x1p-22,
                         .eta_p = 0x1p-150,
                         .eta_out = 0x1p-150}));
}

TEST(RoundingOf, OperandsCountOnlyWhereTheyAreCoarserThanTheIoType) {
  attest_contract contract = F32Contract();
  contract.operands = ATTEST_FORMAT_TF32;
  EXPECT_EQ(RoundingOf(contract, ATTEST_F32).u_op, 0x1p-11);
  EXPECT_EQ(RoundingOf(contract, ATTEST_F16).u_op, 0);
  EXPECT_EQ(RoundingOf(contract, ATTEST_BF16).u_op, 0);
  contract.operands = ATTEST_FORMAT_BF16;
  EXPECT_EQ(RoundingOf(contract, ATTEST_F16).u_op, 0x1p-8);
  EXPECT_EQ(RoundingOf(contract, ATTEST_BF16).u_op, 0);
}

TEST(RoundingOf, ScoresAndProbabilities) {
  attest_contract contract = F32Contract();
  contract.scores = ATTEST_FORMAT_BF16;
  contract.probabilities = ATTEST_FORMAT_F16;
  const Rounding r = RoundingOf(contract, ATTEST_BF16);
  EXPECT_EQ(r.u_s, 0x1p-8);
  EXPECT_EQ(r.u_p, 0x1p-11);
  EXPECT_EQ(r.eta_p, 0x1p-25);
  EXPECT_EQ(r.u_out, 0x1p-8);
  EXPECT_EQ(r.eta_out, 0x1p-134);
  contract.scores = contract.probabilities = ATTEST_FORMAT_F32;
  EXPECT_EQ(RoundingOf(contract, ATTEST_BF16).u_s, 0);
  EXPECT_EQ(RoundingOf(contract, ATTEST_BF16).u_p, 0);
}

TEST(RoundingOf, FlushedWeightsErrByTwiceTheAccumulationsLeastNormalNumber) {
  attest_contract contract = F32Contract();
  contract.flags = ATTEST_CONTRACT_FLUSHES_SUBNORMALS;
  EXPECT_EQ(RoundingOf(contract, ATTEST_F32).eta_p, 0x1p-125);
  EXPECT_EQ(RoundingOf(contract, ATTEST_F32).eta_out, 0x1p-150);
  contract.probabilities = ATTEST_FORMAT_F16;
  EXPECT_EQ(RoundingOf(contract, ATTEST_F32).eta_p, 0x1p-25);
}

TEST(RoundingOf, ExpErrorAsDeclared) {
  attest_contract contract = F32Contract();
  contract.exp_relative_error = 1e-5;
  EXPECT_EQ(RoundingOf(contract, ATTEST_F32).eps_exp, 1e-5);
}

TEST(RoundingOf, RefusesContradictions) {
  attest_contract contract{};
  EXPECT_THROW(RoundingOf(contract, ATTEST_F32), std::invalid_argument);
  contract = F32Contract();
  contract.scores = 77;
  EXPECT_THROW(RoundingOf(contract, ATTEST_F32), std::invalid_argument);
  contract = F32Contract();
  contract.probabilities = ATTEST_FORMAT_F64;
  EXPECT_THROW(RoundingOf(contract, ATTEST_F32), std::invalid_argument);
  for (const double bad :
       {-1e-7, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    contract = F32Contract();
    contract.exp_relative_error = bad;
    EXPECT_THROW(RoundingOf(contract, ATTEST_F32), std::invalid_argument);
  }
  EXPECT_THROW(RoundingOf(F32Contract(), ATTEST_I64), std::invalid_argument);
}

TEST(Gamma, IsFiniteWhereNoBoundExists) {
  EXPECT_NEAR(Gamma(64, 0x1p-24), 64 * 0x1p-24, 1e-10);
  EXPECT_EQ(Gamma(256, 0x1p-8), kNoBound);
  EXPECT_EQ(Gamma(1000, 0x1p-8), kNoBound);
}

}  // namespace
}  // namespace attest::reference
