// SPDX-License-Identifier: Apache-2.0
//
// eigen:unfused. The textbook three steps, each over the whole matrix: S = Q K^T, P = softmax(S),
// O = P V, with Eigen's products; f32 throughout. A thread holds S of one head, so memory is
// O(threads * Lq * Lk): the contrast to eigen:flash, and what a user writes first.
#include <algorithm>
#include <limits>
#include <vector>

#include "attest/score_row.hpp"
#include "gemm.h"
#include "plans.h"
#include "rows.h"

namespace attest::eigen {
namespace {

// Rows of one head in a task: all of them, unless there are fewer heads than threads.
int64_t RowsPerTask(const attest_problem& problem, unsigned threads) {
  const int64_t heads = problem.batch_size * problem.q_num_heads;
  const int64_t parts = (threads + heads - 1) / heads;
  return (problem.q_sequence_length + parts - 1) / parts;
}

template <typename Io>
struct Scratch {
  Scratch(const attest_problem& problem, Tensors tensors, int64_t rows)
      : q(ScratchFloats<Io>(GetTensor(tensors, ATTEST_ROLE_Q), rows)),
        k(ScratchFloats<Io>(GetTensor(tensors, ATTEST_ROLE_K), problem.kv_sequence_length)),
        v(ScratchFloats<Io>(GetTensor(tensors, ATTEST_ROLE_V), problem.kv_sequence_length)),
        s(rows * problem.kv_sequence_length),
        o(rows * problem.v_head_size) {}

  static uint64_t BytesOf(const Request& request, int64_t rows) {
    const int64_t keys = request.problem.kv_sequence_length;
    return sizeof(float) * (ScratchFloats<Io>(GetTensor(request.tensors, ATTEST_ROLE_Q), rows) +
                            ScratchFloats<Io>(GetTensor(request.tensors, ATTEST_ROLE_K), keys) +
                            ScratchFloats<Io>(GetTensor(request.tensors, ATTEST_ROLE_V), keys) +
                            rows * (keys + request.problem.v_head_size));
  }

  AlignedBuffer<float> q, k, v;  // where those tensors cannot be used in place
  AlignedBuffer<float> s;        // [rows, Lk]: scores, then P
  AlignedBuffer<float> o;        // [rows, v_head_size]
};

template <typename Io>
class UnfusedPlan : public Plan {
 public:
  UnfusedPlan(const Request& request, ThreadPool& pool)
      : problem_(request.problem),
        rows_(RowsPerTask(problem_, pool.threads())),
        pool_(pool),
        bytes_(UnfusedBytes(request, pool.threads())) {
    for (unsigned thread = 0; thread < pool.threads(); ++thread)
      scratch_.emplace_back(problem_, request.tensors, rows_);
  }

  void Bind(Tensors tensors) override { bound_ = BindSdpa(problem_, tensors); }

  void Run() override {
    const int64_t parts = (problem_.q_sequence_length + rows_ - 1) / rows_;
    const int64_t heads = problem_.q_num_heads;
    pool_.Run(problem_.batch_size * heads * parts, [&](int64_t task, unsigned thread) {
      const int64_t first = task % parts * rows_;
      Compute(task / parts / heads, task / parts % heads, first,
              std::min(rows_, problem_.q_sequence_length - first), scratch_[thread]);
    });
  }

  PlanInfo Info() override {
    return {
        "unfused, S of " + std::to_string(rows_) + " rows at once (" + EigenInstructionSets() + ")",
        bytes_, 0};
  }

 private:
  void Compute(int64_t b, int64_t h, int64_t first, int64_t rows, Scratch<Io>& scratch) const {
    const int64_t kv_head = h / (problem_.q_num_heads / problem_.kv_num_heads);
    const int64_t keys = problem_.kv_sequence_length;
    const MatrixView s{scratch.s.data(), rows, keys, keys};
    const MatrixView o{scratch.o.data(), rows, problem_.v_head_size, problem_.v_head_size};
    MultiplyTransposed(RowsOf<Io>(bound_.q, b, h, first, rows, scratch.q),
                       RowsOf<Io>(bound_.k, b, kv_head, 0, keys, scratch.k), s);
    for (int64_t row = 0; row < rows; ++row) Softmax(b, h, first + row, s.data + row * s.stride);
    std::fill_n(o.data, rows * problem_.v_head_size, 0.0f);
    MultiplyAdd({s.data, rows, keys, keys}, RowsOf<Io>(bound_.v, b, kv_head, 0, keys, scratch.v),
                o);
    for (int64_t row = 0; row < rows; ++row)
      NarrowRow(o.data + row * o.stride, 1.0f, problem_.v_head_size,
                RowOf<Io>(bound_.out, b, h, first + row), bound_.out.strides[3]);
  }

  // Products of query i with all keys become its attention weights; LSE and WEIGHTS follow.
  void Softmax(int64_t b, int64_t h, int64_t i, float* row) const {
    constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
    const int64_t count = problem_.kv_sequence_length;
    const KeySpan keys = VisibleKeys(problem_, KvLength(problem_, &bound_.lengths, b), i);
    float* seen = row + keys.begin;
    const int64_t seen_count = keys.end - keys.begin;
    if (scoring_.has_steps())
      scoring_.Apply<Io>(bound_.mask, b, h, i, keys.begin, seen_count, seen);
    std::fill(row, seen, 0.0f);
    std::fill(row + keys.end, row + count, 0.0f);
    const float max = seen_count > 0 ? RowMax(seen, seen_count) : kMinusInfinity;
    float lse = kMinusInfinity;
    if (IsDead(seen, seen_count, max)) {
      std::fill(seen, row + keys.end, 0.0f);
    } else {
      const float sum = RowExp2(seen, seen_count, max, scoring_.exponent_factor());
      ScaleRow(seen, seen_count, 1.0f / sum);
      lse = scoring_.Lse(max, sum);
    }
    if (problem_.outputs & ATTEST_OUTPUT_LSE) *RowOf<float>(bound_.lse, b, h, i) = lse;
    if (problem_.outputs & ATTEST_OUTPUT_WEIGHTS)
      NarrowRow(row, 1.0f, count, RowOf<Io>(bound_.weights, b, h, i), bound_.weights.strides[3]);
  }

  const attest_problem problem_;
  const int64_t rows_;
  const Scoring scoring_{problem_};
  ThreadPool& pool_;
  const uint64_t bytes_;
  std::vector<Scratch<Io>> scratch_;  // one per thread
  SdpaTensors bound_{};
};

}  // namespace

std::unique_ptr<Plan> MakeUnfusedPlan(const Request& request, ThreadPool& pool) {
  return WithIoType(request.problem.dtype, [&](auto io) -> std::unique_ptr<Plan> {
    return std::make_unique<UnfusedPlan<decltype(io)>>(request, pool);
  });
}

uint64_t UnfusedBytes(const Request& request, unsigned threads) {
  const int64_t rows = RowsPerTask(request.problem, threads);
  return WithIoType(request.problem.dtype, [&](auto io) {
    return threads * Scratch<decltype(io)>::BytesOf(request, rows);
  });
}

}  // namespace attest::eigen
