// SPDX-License-Identifier: Apache-2.0
//
// Runs honest algorithms on random problems and prints the worst error over B and over Bp for each
// contract and data kind: the evidence for the lambda of Bp. Not a test, as 100,000 runs take
// minutes. Usage: reference_calibrate [RUNS [SEED [KIND...]]], where no KIND means all of them.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

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
  int64_t runs = 0, beyond = 0;  // runs with an error above Bp
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
  constexpr int64_t kLongLengths[] = {515, 1024, 2049, 4099};
  constexpr int64_t kHeadSizes[] = {1, 3, 16, 40, 64, 80, 128};
  const int64_t length = random() % 16 == 0 ? kLongLengths[random() % 4] : kLengths[random() % 12];
  attest_problem p = MakeProblem(1, 1, 2, length, kHeadSizes[random() % 7], 4);
  p.dtype = dtype;
  // Scores much closer together, or farther apart, than the default makes them.
  if (random() % 4 == 0) p.scale *= std::exp2(static_cast<double>(random() % 11) - 8);
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
  double probabilistic = 0;
  for (int64_t i = 0; i < p.q_sequence_length; ++i) {
    const EmulatedRow got = Emulate(c, contract, algorithm, 0, 0, i);
    for (int64_t n = 0; n < p.v_head_size; ++n) {
      const size_t at = i * p.v_head_size + n;
      const double error = std::fabs(got.output[n] - answer.output[at]);
      const Bound& bound = answer.bounds[0];
      worst.certain = std::max(worst.certain, Ratio(error, bound.output[at]));
      probabilistic = std::max(probabilistic, Ratio(error, bound.probabilistic[at]));
    }
  }
  ++worst.runs;
  worst.beyond += probabilistic > 1;
  worst.probabilistic = std::max(worst.probabilistic, probabilistic);
}

}  // namespace

int Calibrate(int64_t runs, uint64_t seed, const std::vector<std::string>& kinds) {
  std::mt19937_64 random(seed);
  std::map<std::pair<std::string, std::string>, Worst> table;
  for (int64_t n = 0; n < runs; ++n) {
    const Formats& formats = kFormats[random() % std::size(kFormats)];
    const std::string& kind = kinds[random() % kinds.size()];
    AddRun(formats, kind, random, table[{formats.name, kind}]);
  }
  Worst all;
  for (const auto& [key, worst] : table) {
    std::printf("%-14s %-13s %7lld runs  err/B %.3f  err/Bp %.3f  beyond Bp %lld\n",
                key.first.c_str(), key.second.c_str(), static_cast<long long>(worst.runs),
                worst.certain, worst.probabilistic, static_cast<long long>(worst.beyond));
    all.runs += worst.runs;
    all.beyond += worst.beyond;
    all.certain = std::max(all.certain, worst.certain);
    all.probabilistic = std::max(all.probabilistic, worst.probabilistic);
  }
  std::printf("all: %lld runs  err/B %.3f  err/Bp %.3f  beyond Bp %lld\n",
              static_cast<long long>(all.runs), all.certain, all.probabilistic,
              static_cast<long long>(all.beyond));
  return all.certain < 1 ? 0 : 1;
}

}  // namespace attest::reference

int main(int argc, char** argv) {
  std::vector<std::string> kinds(argv + std::min(argc, 3), argv + argc);
  if (kinds.empty()) kinds = attest::reference::DataKinds();
  return attest::reference::Calibrate(argc > 1 ? std::atoll(argv[1]) : 1000,
                                      argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1, kinds);
}
