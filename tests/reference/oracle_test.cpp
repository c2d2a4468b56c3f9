// SPDX-License-Identifier: Apache-2.0
//
// The oracle against long double, closed forms, and itself: other threads, other rows.
#include "reference/oracle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "case.h"

namespace attest::reference {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Answer Solve(const Case& c, const Options& options = {}) {
  return ComputeSdpa(c.Problem(), c.Tensors(), options);
}

bool SameBits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

// The oracle's own error: a few units of every score and every sum.
double Tolerance(const attest_problem& p) {
  const double unit = p.dtype == ATTEST_F64 ? 0x1p-51 : 0x1p-53;
  return p.dtype == ATTEST_F64 ? unit : unit * (50 + 8 * static_cast<double>(p.head_size));
}

void ExpectNaive(const Case& c) {
  const attest_problem& p = c.Problem();
  const Answer answer = Solve(c);
  const double tolerance = Tolerance(p);
  ASSERT_EQ(std::ssize(answer.rows), RowCount(p));
  for (int64_t row = 0; row < RowCount(p); ++row) {
    ASSERT_EQ(answer.rows[row], row);
    const int64_t i = row % p.q_sequence_length;
    const int64_t h = row / p.q_sequence_length % p.q_num_heads;
    const int64_t b = row / p.q_sequence_length / p.q_num_heads;
    const NaiveRow naive = c.Naive(b, h, i);
    if (std::isinf(naive.lse)) {
      ASSERT_EQ(answer.lse[row], -kInfinity);
    } else {
      ASSERT_LE(std::fabs(answer.lse[row] - naive.lse), tolerance * (1 + std::fabs(naive.lse)));
    }
    for (int64_t n = 0; n < p.v_head_size; ++n) {
      const int64_t at = row * p.v_head_size + n;
      ASSERT_LE(std::fabs(answer.output[at] - naive.output[n]), 4 * tolerance) << row << " " << n;
      ASSERT_GE(answer.output[at], answer.hull_min[at] - 1e-12);
      ASSERT_LE(answer.output[at], answer.hull_max[at] + 1e-12);
    }
    if ((p.outputs & ATTEST_OUTPUT_WEIGHTS) == 0) continue;
    for (int64_t j = 0; j < p.kv_sequence_length; ++j) {
      ASSERT_LE(std::fabs(answer.weights[row * p.kv_sequence_length + j] - naive.weights[j]),
                4 * tolerance);
    }
  }
}

TEST(ComputeSdpa, MatchesLongDoubleOverShapes) {
  for (const int64_t d : {1, 3, 40, 64, 257}) {
    for (const int64_t lk : {1, 15, 16, 17, 63, 65, 197}) {
      attest_problem p = MakeProblem(2, 1, 5, lk, d, d == 3 ? 40 : d == 40 ? 3 : d);
      p.outputs = ATTEST_OUTPUT_WEIGHTS | ATTEST_OUTPUT_LSE;
      ExpectNaive(Case(p, "normal", 1));
    }
  }
}

TEST(ComputeSdpa, MatchesLongDoubleInEveryIoType) {
  for (const int32_t dtype : {ATTEST_F32, ATTEST_F16, ATTEST_BF16, ATTEST_F64}) {
    attest_problem p = MakeProblem(4, 2, 9, 70, 24, 20);
    p.batch_size = 2;
    p.dtype = dtype;
    p.outputs = ATTEST_OUTPUT_WEIGHTS;
    ExpectNaive(Case(p, "normal", 2, 5));
  }
}

TEST(ComputeSdpa, MatchesLongDoubleUnderEveryMaskRule) {
  for (const int32_t mask : {ATTEST_MASK_NONE, ATTEST_MASK_BOOLEAN, ATTEST_MASK_ADDITIVE}) {
    for (const int64_t offset : {-40, -3, 0, 30, 100}) {
      for (const int64_t window : {-1, 0, 20}) {
        for (const int32_t lengths : {0, 1}) {
          attest_problem p = MakeProblem(4, 2, 37, 67, 8, 6);
          p.batch_size = 2;
          p.dtype = window == 20 ? ATTEST_F64 : ATTEST_F32;
          p.is_causal = offset != 0 ? 1 : 0;
          p.causal_offset = offset;
          p.left_window_size = window;
          p.right_window_size = window == 20 ? 3 : -1;
          p.attn_mask = mask;
          p.softcap = offset == 30 ? 1.5 : 0;
          p.has_kv_lengths = lengths;
          p.outputs = ATTEST_OUTPUT_WEIGHTS;
          Case c(p, "normal", 3);
          if (mask != ATTEST_MASK_NONE) c.AddMask(4, window == 0);
          if (lengths != 0) c.AddLengths({0, 41});
          ExpectNaive(c);
        }
      }
    }
  }
}

TEST(ComputeSdpa, OneKeyGivesItsValue) {
  const Case c(MakeProblem(2, 2, 7, 1, 16, 16), "normal", 5);
  const Answer answer = Solve(c);
  for (int64_t row = 0; row < 14; ++row) {
    for (int64_t n = 0; n < 16; ++n) {
      EXPECT_EQ(answer.output[row * 16 + n], c.V(0, row / 7, 0, n));
    }
  }
}

TEST(ComputeSdpa, EqualKeysGiveTheMean) {
  Case c(MakeProblem(1, 1, 3, 100, 4, 2), "normal", 6);
  double mean = 0;
  for (int64_t j = 0; j < 100; ++j) {
    for (int64_t t = 0; t < 4; ++t) c.Set(ATTEST_ROLE_K, 0, 0, j, t, 0.5);
    mean += c.V(0, 0, j, 1) / 100;
  }
  EXPECT_NEAR(Solve(c).output[1], mean, 1e-15);
}

TEST(ComputeSdpa, CausalRowZeroIsTheFirstValue) {
  attest_problem p = MakeProblem(1, 1, 40, 40, 8, 8);
  p.is_causal = 1;
  const Case c(p, "normal", 7);
  const Answer answer = Solve(c);
  for (int64_t n = 0; n < 8; ++n) EXPECT_EQ(answer.output[n], c.V(0, 0, 0, n));
}

TEST(ComputeSdpa, DeadRowsAreZeroWithBoundZero) {
  attest_problem p = MakeProblem(1, 1, 6, 6, 8, 8);
  p.is_causal = 1;
  p.causal_offset = -3;
  p.outputs = ATTEST_OUTPUT_WEIGHTS | ATTEST_OUTPUT_LSE;
  const Case c(p, "normal", 8);
  attest_contract contract{};
  contract.accumulate = ATTEST_FORMAT_F32;
  const Answer answer = Solve(c, {.roundings = {RoundingOf(contract, ATTEST_F32)}});
  for (int64_t n = 0; n < 3 * 8; ++n) {
    EXPECT_EQ(answer.output[n], 0);
    EXPECT_EQ(answer.hull_min[n], 0);
    EXPECT_EQ(answer.bounds[0].output[n], 0);
    EXPECT_EQ(answer.bounds[0].probabilistic[n], 0);
  }
  EXPECT_EQ(answer.lse[2], -kInfinity);
  EXPECT_EQ(answer.bounds[0].lse[2], 0);
  EXPECT_GT(answer.bounds[0].output[4 * 8], 0);
}

TEST(ComputeSdpa, NanInMaskedKeysDoesNotLeak) {
  for (const int32_t dtype : {ATTEST_F32, ATTEST_F64}) {
    attest_problem p = MakeProblem(1, 1, 70, 70, 8, 8);
    p.is_causal = 1;
    p.dtype = dtype;
    Case clean(p, "normal", 9);
    Case dirty(p, "normal", 9);
    for (int64_t n = 0; n < 8; ++n) {
      dirty.Set(ATTEST_ROLE_K, 0, 0, 50, n, kNan);
      dirty.Set(ATTEST_ROLE_V, 0, 0, 50, n, n % 2 != 0 ? kNan : kInfinity);
    }
    attest_contract contract{};
    contract.accumulate = dtype == ATTEST_F32 ? ATTEST_FORMAT_F32 : ATTEST_FORMAT_F64;
    contract.operands = ATTEST_FORMAT_BF16;
    contract.probabilities = ATTEST_FORMAT_F32 == contract.accumulate ? ATTEST_FORMAT_BF16 : 0;
    const Options options{.roundings = {RoundingOf(contract, dtype)}};
    const Answer a = Solve(clean, options);
    const Answer b = Solve(dirty, options);
    for (int64_t n = 0; n < 50 * 8; ++n) {
      ASSERT_EQ(a.output[n], b.output[n]) << n;
      ASSERT_EQ(a.hull_max[n], b.hull_max[n]) << n;
      ASSERT_EQ(a.bounds[0].output[n], b.bounds[0].output[n]) << n;
      ASSERT_EQ(a.bounds[0].probabilistic[n], b.bounds[0].probabilistic[n]) << n;
    }
    // Where the key is seen nothing may pass as correct.
    for (int64_t n = 50 * 8; n < 70 * 8; ++n) {
      ASSERT_FALSE(std::fabs(b.output[n]) <= b.bounds[0].output[n]) << n;
    }
  }
}

Options ManyBounds() {
  attest_contract contract{};
  contract.accumulate = ATTEST_FORMAT_F32;
  Options options;
  options.roundings.push_back(RoundingOf(contract, ATTEST_F32));
  contract.operands = contract.probabilities = ATTEST_FORMAT_TF32;
  options.roundings.push_back(RoundingOf(contract, ATTEST_F32));
  return options;
}

TEST(ComputeSdpa, SameBitsOnAnyNumberOfThreads) {
  attest_problem p = MakeProblem(4, 2, 150, 150, 20, 24);
  p.is_causal = 1;
  p.batch_size = 3;
  p.outputs = ATTEST_OUTPUT_WEIGHTS;
  const Case c(p, "peaky", 10);
  Options options = ManyBounds();
  const Answer one = Solve(c, options);
  for (const unsigned threads : {2u, 3u, 8u}) {
    options.threads = threads;
    const Answer many = Solve(c, options);
    EXPECT_TRUE(SameBits(one.output, many.output));
    EXPECT_TRUE(SameBits(one.lse, many.lse));
    EXPECT_TRUE(SameBits(one.weights, many.weights));
    EXPECT_TRUE(SameBits(one.hull_min, many.hull_min));
    for (size_t n = 0; n < 2; ++n) {
      EXPECT_TRUE(SameBits(one.bounds[n].output, many.bounds[n].output));
      EXPECT_TRUE(SameBits(one.bounds[n].probabilistic, many.bounds[n].probabilistic));
      EXPECT_TRUE(SameBits(one.bounds[n].weights, many.bounds[n].weights));
    }
  }
}

TEST(ComputeSdpa, ChosenRowsAreTheSameAsAmongAll) {
  attest_problem p = MakeProblem(6, 2, 90, 130, 20, 24);
  p.attn_mask = ATTEST_MASK_BOOLEAN;
  p.left_window_size = 70;
  Case c(p, "normal", 11);
  c.AddMask(12, false);
  Options options = ManyBounds();
  const Answer all = Solve(c, options);
  options.rows = {539, 3, 91, 90, 200, 201, 411};
  const Answer some = Solve(c, options);
  ASSERT_EQ(some.rows, (std::vector<int64_t>{3, 90, 91, 200, 201, 411, 539}));
  for (size_t n = 0; n < some.rows.size(); ++n) {
    for (int64_t k = 0; k < 24; ++k) {
      const size_t from = some.rows[n] * 24 + k;
      ASSERT_EQ(some.output[n * 24 + k], all.output[from]);
      ASSERT_EQ(some.bounds[1].output[n * 24 + k], all.bounds[1].output[from]);
    }
  }
}

TEST(ComputeSdpa, RefusesWhatItCannotRead) {
  const Case c(MakeProblem(1, 1, 4, 4, 4, 4), "normal", 13);
  auto tensors = c.Tensors();
  attest_problem p = c.Problem();
  EXPECT_THROW(ComputeSdpa(p, {tensors.data(), 2}, {}), std::invalid_argument);
  EXPECT_THROW(ComputeSdpa(p, tensors, {.rows = {4}}), std::invalid_argument);
  p.head_size = 5;
  EXPECT_THROW(ComputeSdpa(p, tensors, {}), std::invalid_argument);
  p = c.Problem();
  p.dtype = ATTEST_F16;
  EXPECT_THROW(ComputeSdpa(p, tensors, {}), std::invalid_argument);
  p = c.Problem();
  p.attn_mask = ATTEST_MASK_BOOLEAN;
  EXPECT_THROW(ComputeSdpa(p, tensors, {}), std::invalid_argument);
  p = c.Problem();
  p.op = ATTEST_OP_SELF_ATTENTION;
  EXPECT_THROW(ComputeSdpa(p, tensors, {}), std::invalid_argument);
}

}  // namespace
}  // namespace attest::reference
