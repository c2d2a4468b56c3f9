// SPDX-License-Identifier: Apache-2.0
//
// Prints the oracle's speed on one thread, without and with the bound, in GFLOP/s of the two
// products over visible pairs. Not a test: a figure to quote. Usage: reference_rate [length
// [head_size [threads]]]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <vector>

#include "reference/oracle.h"

namespace {

using attest::reference::Options;
using attest::reference::Rounding;

attest_tensor Describe(int32_t role, std::vector<float>& data, int64_t heads, int64_t length,
                       int64_t size) {
  attest_tensor tensor{};
  tensor.size = sizeof tensor;
  tensor.role = role;
  tensor.dtype = ATTEST_F32;
  tensor.rank = 4;
  const int64_t shape[] = {1, heads, length, size};
  const int64_t strides[] = {heads * length * size, length * size, size, 1};
  for (int n = 0; n < 4; ++n) {
    tensor.shape[n] = shape[n];
    tensor.strides[n] = strides[n];
  }
  std::mt19937 random(role);
  data.resize(heads * length * size);
  for (float& x : data) x = static_cast<float>(random()) * 0x1p-31f - 1;
  tensor.data = data.data();
  return tensor;
}

// Processor time of all threads.
double SecondsOf(const attest_problem& problem, std::span<const attest_tensor* const> tensors,
                 const Options& options) {
  double best = 1e9;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const std::clock_t start = std::clock();
    attest::reference::ComputeSdpa(problem, tensors, options);
    best = std::fmin(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t length = argc > 1 ? std::atoll(argv[1]) : 1024;
  const int64_t size = argc > 2 ? std::atoll(argv[2]) : 64;
  constexpr int64_t kHeads = 2;
  std::vector<float> q, k, v;
  const attest_tensor tensors[] = {Describe(ATTEST_ROLE_Q, q, kHeads, length, size),
                                   Describe(ATTEST_ROLE_K, k, kHeads, length, size),
                                   Describe(ATTEST_ROLE_V, v, kHeads, length, size)};
  const attest_tensor* const pointers[] = {&tensors[0], &tensors[1], &tensors[2]};
  attest_contract contract{};
  contract.accumulate = ATTEST_FORMAT_F32;
  const Rounding plain = attest::reference::RoundingOf(contract, ATTEST_F32);
  contract.operands = ATTEST_FORMAT_TF32;
  contract.probabilities = ATTEST_FORMAT_TF32;
  const Rounding tf32 = attest::reference::RoundingOf(contract, ATTEST_F32);
  for (const int32_t causal : {0, 1}) {
    attest_problem problem{};
    problem.size = sizeof problem;
    problem.op = ATTEST_OP_SDPA;
    problem.dtype = ATTEST_F32;
    problem.batch_size = 1;
    problem.q_num_heads = problem.kv_num_heads = kHeads;
    problem.q_sequence_length = problem.kv_sequence_length = length;
    problem.head_size = problem.v_head_size = size;
    problem.scale = 1 / std::sqrt(static_cast<double>(size));
    problem.is_causal = causal;
    problem.left_window_size = problem.right_window_size = -1;
    Options options;
    if (argc > 3) options.threads = static_cast<unsigned>(std::atoi(argv[3]));
    const double flops = 4.0 * size * attest::reference::CountVisiblePairs(problem, pointers) / 1e9;
    const double without = SecondsOf(problem, pointers, options);
    options.roundings = {plain};
    const double with = SecondsOf(problem, pointers, options);
    options.roundings = {plain, tf32};
    const double with_two = SecondsOf(problem, pointers, options);
    std::printf(
        "L %lld d %lld %s: %.2f GFLOP/s without the bound, %.2f with it (%.2f times the time), "
        "%.2f with two of which one rounds operands\n",
        static_cast<long long>(length), static_cast<long long>(size), causal ? "causal" : "full",
        flops / without, flops / with, with / without, flops / with_two);
  }
}
