// SPDX-License-Identifier: Apache-2.0
//
// The bound holds for honest algorithms in emulated arithmetic and breaks for planted faults. How
// tight it is, is asserted too: a bound far above all errors is none.
#include "reference/bound.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "case.h"
#include "emulation.h"
#include "reference/oracle.h"

namespace attest::reference {
namespace {

struct NamedContract {
  const char* name;
  int32_t dtype;
  attest_contract contract;
};

attest_contract MakeContract(int32_t operands, int32_t scores, int32_t probabilities) {
  attest_contract contract{};
  contract.size = sizeof contract;
  contract.accumulate = ATTEST_FORMAT_F32;
  contract.operands = operands;
  contract.scores = scores;
  contract.probabilities = probabilities;
  return contract;
}

std::vector<NamedContract> Contracts() {
  constexpr int32_t kNone = ATTEST_FORMAT_NONE;
  return {{"f32", ATTEST_F32, MakeContract(kNone, kNone, kNone)},
          {"f32 by tf32", ATTEST_F32, MakeContract(ATTEST_FORMAT_TF32, kNone, ATTEST_FORMAT_TF32)},
          {"f32, P in bf16", ATTEST_F32, MakeContract(kNone, kNone, ATTEST_FORMAT_BF16)},
          {"bf16", ATTEST_BF16, MakeContract(kNone, kNone, kNone)},
          {"bf16, S and P in bf16", ATTEST_BF16,
           MakeContract(kNone, ATTEST_FORMAT_BF16, ATTEST_FORMAT_BF16)},
          {"f16, P in f16", ATTEST_F16, MakeContract(kNone, kNone, ATTEST_FORMAT_F16)}};
}

struct Worst {
  double output = 0;  // error / B
  double probabilistic = 0;
  double lse = 0;
  double weights = 0;
};

// Error over bound, where 0 of 0 is 0; NaN counts as infinite.
double Ratio(double got, double expected, double bound) {
  const double error = std::fabs(got - expected);
  if (error == 0 || (std::isinf(got) && got == expected)) return 0;
  return error / bound <= 1e9 ? error / bound : INFINITY;
}

Worst Measure(const Case& c, const attest_contract& contract, const Answer& answer,
              const Algorithm& algorithm) {
  const attest_problem& p = c.Problem();
  const Bound& bound = answer.bounds[0];
  Worst worst;
  for (size_t n = 0; n < answer.rows.size(); ++n) {
    const int64_t row = answer.rows[n];
    const int64_t head = row / p.q_sequence_length;
    const EmulatedRow got = Emulate(c, contract, algorithm, head / p.q_num_heads,
                                    head % p.q_num_heads, row % p.q_sequence_length);
    for (int64_t k = 0; k < p.v_head_size; ++k) {
      const size_t at = n * p.v_head_size + k;
      const double expected = answer.output[at];
      worst.output = std::max(worst.output, Ratio(got.output[k], expected, bound.output[at]));
      worst.probabilistic =
          std::max(worst.probabilistic, Ratio(got.output[k], expected, bound.probabilistic[at]));
    }
    worst.lse = std::max(worst.lse, Ratio(got.lse, answer.lse[n], bound.lse[n]));
    for (int64_t j = 0; j < p.kv_sequence_length && !answer.weights.empty(); ++j) {
      const size_t at = n * p.kv_sequence_length + j;
      worst.weights =
          std::max(worst.weights, Ratio(got.weights[j], answer.weights[at], bound.weights[at]));
    }
  }
  return worst;
}

Answer Solve(const Case& c, const attest_contract& contract) {
  return ComputeSdpa(c.Problem(), c.Tensors(),
                     {.roundings = {RoundingOf(contract, c.Problem().dtype)}});
}

std::vector<attest_problem> Problems() {
  std::vector<attest_problem> problems = {
      MakeProblem(1, 1, 3, 197, 64, 8), MakeProblem(2, 1, 4, 33, 3, 5),
      MakeProblem(1, 1, 3, 65, 80, 4), MakeProblem(1, 1, 2, 1024, 16, 4),
      MakeProblem(1, 1, 37, 37, 16, 4)};
  problems[1].softcap = 2;
  problems[2].attn_mask = ATTEST_MASK_ADDITIVE;
  problems[4].is_causal = 1;
  for (attest_problem& p : problems) p.outputs = ATTEST_OUTPUT_LSE | ATTEST_OUTPUT_WEIGHTS;
  return problems;
}

TEST(Bound, HoldsForHonestAlgorithms) {
  for (const NamedContract& named : Contracts()) {
    Worst overall;
    for (const std::string& kind : DataKinds()) {
      Worst worst;
      for (attest_problem p : Problems()) {
        p.dtype = named.dtype;
        Case c(p, kind, 17);
        if (p.attn_mask != ATTEST_MASK_NONE) c.AddMask(18, true);
        const Answer answer = Solve(c, named.contract);
        for (const Algorithm& algorithm : HonestAlgorithms()) {
          const Worst w = Measure(c, named.contract, answer, algorithm);
          EXPECT_LT(w.output, 1) << named.name << " " << kind << " " << algorithm.name;
          EXPECT_LT(w.lse, 1) << named.name << " " << kind << " " << algorithm.name;
          EXPECT_LT(w.weights, 1) << named.name << " " << kind << " " << algorithm.name;
          worst = {std::max(worst.output, w.output), std::max(worst.probabilistic, w.probabilistic),
                   std::max(worst.lse, w.lse), std::max(worst.weights, w.weights)};
        }
      }
      std::printf("%-22s %-12s err/B %.3f  err/Bp %.3f  LSE %.3f  weights %.3f\n", named.name,
                  kind.c_str(), worst.output, worst.probabilistic, worst.lse, worst.weights);
      overall.output = std::max(overall.output, worst.output);
      overall.lse = std::max(overall.lse, worst.lse);
      overall.weights = std::max(overall.weights, worst.weights);
    }
    EXPECT_GT(overall.output, 0.05) << named.name;
    EXPECT_GT(overall.lse, 0.01) << named.name;
    EXPECT_GT(overall.weights, 0.05) << named.name;
  }
}

// The worst error/B of one faulty algorithm on normal data.
double FaultRatio(const Algorithm& fault, const attest_contract& contract, int64_t length,
                  int64_t d) {
  const Case c(MakeProblem(1, 1, 8, length, d, d), "normal", 19);
  return Measure(c, contract, Solve(c, contract), fault).output;
}

TEST(Bound, BreaksForPlantedFaults) {
  const attest_contract f32 = Contracts()[0].contract;
  EXPECT_LT(FaultRatio({.name = "none"}, f32, 197, 64), 1);
  EXPECT_GT(FaultRatio({.name = "last key dropped", .drop_last_key = true}, f32, 197, 64), 10);
  EXPECT_GT(FaultRatio({.name = "last key dropped", .drop_last_key = true}, f32, 2048, 16), 10);
  EXPECT_GT(FaultRatio({.name = "scale 1 % off", .scale_factor = 1.01}, f32, 197, 64), 10);
  EXPECT_GT(FaultRatio({.name = "bf16 sums", .accumulate = ATTEST_FORMAT_BF16}, f32, 197, 64), 10);
  EXPECT_GT(FaultRatio({.name = "f16 sums", .accumulate = ATTEST_FORMAT_F16}, f32, 197, 64), 10);
}

TEST(Bound, BreaksForHiddenCoarseOperands) {
  const attest_contract f32 = Contracts()[0].contract;
  const attest_contract tf32 = Contracts()[1].contract;
  const Case c(MakeProblem(1, 1, 8, 197, 64, 64), "normal", 20);
  const Worst worst = Measure(c, tf32, Solve(c, f32), HonestAlgorithms()[0]);
  EXPECT_GT(worst.output, 1);
  EXPECT_LT(Measure(c, tf32, Solve(c, tf32), HonestAlgorithms()[0]).output, 1);
}

TEST(Bound, ProbabilisticIsBelowAndStillHolds) {
  const NamedContract named = Contracts()[0];
  const Case c(MakeProblem(1, 1, 8, 512, 64, 16), "normal", 21);
  const Answer answer = Solve(c, named.contract);
  const Bound& bound = answer.bounds[0];
  for (size_t n = 0; n < bound.output.size(); ++n) {
    ASSERT_LE(bound.probabilistic[n], bound.output[n]);
    ASSERT_LT(bound.probabilistic[n], 0.5 * bound.output[n]);
  }
  for (const Algorithm& algorithm : HonestAlgorithms()) {
    EXPECT_LT(Measure(c, named.contract, answer, algorithm).probabilistic, 1) << algorithm.name;
  }
}

// Every rounding asked for at once gets the bound it gets alone.
TEST(Bound, SeveralRoundingsShareOnePass) {
  attest_problem p = MakeProblem(1, 1, 5, 70, 16, 8);
  p.outputs = ATTEST_OUTPUT_WEIGHTS;
  const Case c(p, "normal", 22);
  Options options;
  for (const NamedContract& named : Contracts()) {
    options.roundings.push_back(RoundingOf(named.contract, ATTEST_F32));
  }
  const Answer all = ComputeSdpa(p, c.Tensors(), options);
  for (size_t n = 0; n < options.roundings.size(); ++n) {
    const Answer one = ComputeSdpa(p, c.Tensors(), {.roundings = {options.roundings[n]}});
    EXPECT_EQ(one.bounds[0].output, all.bounds[n].output);
    EXPECT_EQ(one.bounds[0].probabilistic, all.bounds[n].probabilistic);
    EXPECT_EQ(one.bounds[0].lse, all.bounds[n].lse);
    EXPECT_EQ(one.bounds[0].weights, all.bounds[n].weights);
  }
}

// The formula on numbers small enough to do by hand: one key, v = 3, nothing rounds but sums.
TEST(Bound, OneKeyByHand) {
  const attest_problem p = MakeProblem(1, 1, 1, 1, 4, 1);
  Rounding rounding;
  rounding.u_acc = 0x1p-10;
  const RowFacts row{.visible = 1, .chain = 1, .maximum = 2, .sum = 1, .lse = 2};
  RowBound bound(p, rounding, row);
  bound.SetSums({.rho = 0.01, .largest = 0.01});
  const ColumnFacts column{
      .output = 3, .least = 3, .greatest = 3, .absolute = 3, .total = 3, .squares = 9};
  const double n = 1 + 9 + 1;
  const double gamma = n * 0x1p-10 / (1 - n * 0x1p-10);
  EXPECT_NEAR(bound.Column(column).certain, gamma * 3 + (gamma + 0x1p-9) * 3, 1e-6);
}

}  // namespace
}  // namespace attest::reference
