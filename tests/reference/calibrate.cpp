// SPDX-License-Identifier: Apache-2.0
//
// Runs honest algorithms on random problems and prints the worst error over B and over Bp for each
// contract and data kind: the evidence for the lambda of Bp. Not a test, as 100,000 runs take
// minutes. Usage: reference_calibrate [runs [seed]]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <utility>

#include "case.h"
#include "emulation.h"
#include "reference/oracle.h"

namespace attest::reference {
namespace {

struct Formats {
  const char* name;
  int32_t dtype, operands, scores, probabilities;
};

constexpr Formats kFormats[] = {
    {"f32", ATTEST_F32, ATTEST_FORMAT_NONE, ATTEST_FORMAT_NONE, ATTEST_FORMAT_NONE},
    {"f32/tf32", ATTEST_F32, ATTEST_FORMAT_TF32, ATTEST_FORMAT_NONE, ATTEST_FORMAT_TF32},
    {"f32/P bf16", ATTEST_F32, ATTEST_FORMAT_NONE, ATTEST_FORMAT_NONE, ATTEST_FORMAT_BF16},
    {"bf16", ATTEST_BF16, ATTEST_FORMAT_NONE, ATTEST_FORMAT_NONE, ATTEST_FORMAT_NONE},
    {"bf16/S,P bf16", ATTEST_BF16, ATTEST_FORMAT_NONE, ATTEST_FORMAT_BF16, ATTEST_FORMAT_BF16},
    {"f16/P f16", ATTEST_F16, ATTEST_FORMAT_NONE, ATTEST_FORMAT_NONE, ATTEST_FORMAT_F16}};

struct Worst {
  int64_t runs = 0;
  double certain = 0;
  double probabilistic = 0;
};

// Error over bound; 0 of 0 is 0, and NaN is infinite.
double Ratio(double error, double bound) {
  if (error == 0) return 0;
  const double ratio = error / bound;
  return ratio <= 1e9 ? ratio : INFINITY;
}

attest_problem RandomProblem(std::mt19937_64& random, int32_t dtype) {
  constexpr int64_t kLengths[] = {2, 3, 15, 17, 31, 33, 64, 65, 127, 197, 256, 257};
  constexpr int64_t kHeadSizes[] = {1, 3, 16, 40, 64, 80, 128};
  attest_problem p = MakeProblem(1, 1, 2, kLengths[random() % 12], kHeadSizes[random() % 7], 4);
  p.dtype = dtype;
  if (random() % 4 == 0) p.softcap = 5;
  if (random() % 4 == 0) {
    p.is_causal = 1;
    p.causal_offset = p.kv_sequence_length - p.q_sequence_length;
  }
  return p;
}

void AddRun(const Formats& formats, const std::string& kind, std::mt19937_64& random,
            Worst& worst) {
  const Case c(RandomProblem(random, formats.dtype), kind, random());
  attest_contract contract{};
  contract.accumulate = ATTEST_FORMAT_F32;
  contract.operands = formats.operands;
  contract.scores = formats.scores;
  contract.probabilities = formats.probabilities;
  const attest_problem& p = c.Problem();
  const Answer answer = ComputeSdpa(p, c.Tensors(), {.roundings = {RoundingOf(contract, p.dtype)}});
  const Algorithm& algorithm = HonestAlgorithms()[random() % HonestAlgorithms().size()];
  for (int64_t i = 0; i < p.q_sequence_length; ++i) {
    const EmulatedRow got = Emulate(c, contract, algorithm, 0, 0, i);
    for (int64_t n = 0; n < p.v_head_size; ++n) {
      const size_t at = i * p.v_head_size + n;
      const double error = std::fabs(got.output[n] - answer.output[at]);
      const Bound& bound = answer.bounds[0];
      worst.certain = std::max(worst.certain, Ratio(error, bound.output[at]));
      worst.probabilistic = std::max(worst.probabilistic, Ratio(error, bound.probabilistic[at]));
    }
  }
  ++worst.runs;
}

}  // namespace

int Calibrate(int64_t runs, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::map<std::pair<std::string, std::string>, Worst> table;
  for (int64_t n = 0; n < runs; ++n) {
    const Formats& formats = kFormats[random() % std::size(kFormats)];
    const std::string& kind = DataKinds()[random() % DataKinds().size()];
    AddRun(formats, kind, random, table[{formats.name, kind}]);
  }
  bool is_sound = true;
  for (const auto& [key, worst] : table) {
    std::printf("%-14s %-13s %7lld runs  err/B %.3f  err/Bp %.3f\n", key.first.c_str(),
                key.second.c_str(), static_cast<long long>(worst.runs), worst.certain,
                worst.probabilistic);
    is_sound = is_sound && worst.certain < 1;
  }
  return is_sound ? 0 : 1;
}

}  // namespace attest::reference

int main(int argc, char** argv) {
  return attest::reference::Calibrate(argc > 1 ? std::atoll(argv[1]) : 1000,
                                      argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
}
