// SPDX-License-Identifier: Apache-2.0
//
// eigen:flash. Blocks of query rows against blocks of keys, products by Eigen, online softmax in
// f32, memory O(threads * block). The query heads of one kv head are stacked into the rows of a
// block, so K and V are read once for the group. A block walks only the keys that one of
// its rows can see; inside, hidden keys get P = 0 exactly. Source of the recurrence: Dao,
// FlashAttention-2 (arXiv 2307.08691), with O divided by the row sum once, at the end.
#include <algorithm>
#include <limits>
#include <vector>

#include "attest/score_row.hpp"
#include "gemm.h"
#include "plans.h"
#include "rows.h"

namespace attest::eigen {
namespace {

// Eigen's kernel computes 4 query rows by 48 keys (AVX-512); S, K and V of a block stay in L2.
constexpr int64_t kQueryRows = 128;
constexpr int64_t kKeys = 384;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Rows [first, first + count) of the stacked rows (head in group * Lq + i) of one kv head.
struct Task {
  int64_t b;
  int64_t kv_head;
  int64_t first;
  int64_t count;
  int64_t keys;  // upper end of what its rows see: its cost
};

struct BlockSizes {
  int64_t rows;
  int64_t keys;
};

BlockSizes BlockSizesOf(const attest_problem& problem, unsigned threads) {
  const int64_t group = problem.q_num_heads / problem.kv_num_heads;
  const int64_t stacked = group * problem.q_sequence_length;
  const int64_t heads = problem.batch_size * problem.kv_num_heads;
  // Smaller blocks where there would be too few tasks to balance; Eigen is slow on very small ones.
  const int64_t wanted = (4 * threads + heads - 1) / heads;
  const int64_t blocks =
      std::max((stacked + kQueryRows - 1) / kQueryRows, std::min(wanted, (stacked + 31) / 32));
  const int64_t rows = (stacked + blocks - 1) / blocks;
  return {std::min(stacked, (rows + 3) / 4 * 4), std::min(kKeys, problem.kv_sequence_length)};
}

template <typename Io>
struct Scratch {
  Scratch(const attest_problem& problem, Tensors tensors, BlockSizes block)
      : q(block.rows * problem.head_size),
        s(block.rows * block.keys),
        o(block.rows * problem.v_head_size),
        max(block.rows),
        sum(block.rows),
        k(ScratchFloats<Io>(GetTensor(tensors, ATTEST_ROLE_K), block.keys)),
        v(ScratchFloats<Io>(GetTensor(tensors, ATTEST_ROLE_V), block.keys)),
        visible(block.rows) {}

  static uint64_t BytesOf(const Request& request, BlockSizes block) {
    const attest_problem& problem = request.problem;
    const int64_t floats =
        block.rows * (problem.head_size + block.keys + problem.v_head_size + 2) +
        ScratchFloats<Io>(GetTensor(request.tensors, ATTEST_ROLE_K), block.keys) +
        ScratchFloats<Io>(GetTensor(request.tensors, ATTEST_ROLE_V), block.keys);
    return floats * sizeof(float) + block.rows * sizeof(KeySpan);
  }

  Buffer q;    // [rows, head_size]
  Buffer s;    // [rows, keys]: scores, then P
  Buffer o;    // [rows, v_head_size], not yet divided by sum
  Buffer max;  // [rows] of the scores so far (scaled only where Scoring does it first)
  Buffer sum;  // [rows] of exp so far
  Buffer k;    // [keys, head_size] where K cannot be used in place
  Buffer v;
  std::vector<KeySpan> visible;  // [rows]
};

template <typename Io>
class FlashPlan : public Plan {
 public:
  FlashPlan(const Request& request, ThreadPool& pool)
      : problem_(request.problem),
        block_(BlockSizesOf(problem_, pool.threads())),
        pool_(pool),
        bytes_(FlashBytes(request, pool.threads())) {
    for (unsigned thread = 0; thread < pool.threads(); ++thread)
      scratch_.emplace_back(problem_, request.tensors, block_);
    MakeTasks();
  }

  void Bind(Tensors tensors) override {
    q_ = GetTensor(tensors, ATTEST_ROLE_Q);
    k_ = GetTensor(tensors, ATTEST_ROLE_K);
    v_ = GetTensor(tensors, ATTEST_ROLE_V);
    out_ = GetTensor(tensors, ATTEST_ROLE_OUT);
    if (problem_.attn_mask != ATTEST_MASK_NONE) mask_ = GetTensor(tensors, ATTEST_ROLE_MASK);
    if (problem_.has_kv_lengths) lengths_ = GetTensor(tensors, ATTEST_ROLE_KV_LENGTHS);
    if (problem_.outputs & ATTEST_OUTPUT_LSE) lse_ = GetTensor(tensors, ATTEST_ROLE_LSE);
  }

  void Run() override {
    pool_.Run(static_cast<int64_t>(tasks_.size()),
              [this](int64_t index, unsigned thread) { Compute(tasks_[index], scratch_[thread]); });
  }

  PlanInfo Info() override {
    return {"flash " + std::to_string(block_.rows) + "x" + std::to_string(block_.keys) + " (" +
                EigenInstructionSets() + ")",
            bytes_, 0};
  }

 private:
  int64_t HeadOf(const Task& task, int64_t row) const {
    const int64_t group = problem_.q_num_heads / problem_.kv_num_heads;
    return task.kv_head * group + (task.first + row) / problem_.q_sequence_length;
  }
  int64_t QueryOf(const Task& task, int64_t row) const {
    return (task.first + row) % problem_.q_sequence_length;
  }

  // All tasks, the longest first, so that the last ones to finish are short.
  void MakeTasks() {
    const int64_t group = problem_.q_num_heads / problem_.kv_num_heads;
    const int64_t stacked = group * problem_.q_sequence_length;
    for (int64_t b = 0; b < problem_.batch_size; ++b)
      for (int64_t kv_head = 0; kv_head < problem_.kv_num_heads; ++kv_head)
        for (int64_t first = 0; first < stacked; first += block_.rows) {
          Task task{b, kv_head, first, std::min(block_.rows, stacked - first), 0};
          for (int64_t row = 0; row < task.count; ++row) {
            const KeySpan keys =
                VisibleKeys(problem_, problem_.kv_sequence_length, QueryOf(task, row));
            task.keys = std::max(task.keys, keys.end);
          }
          tasks_.push_back(task);
        }
    std::stable_sort(tasks_.begin(), tasks_.end(),
                     [](const Task& x, const Task& y) { return x.keys > y.keys; });
  }

  void Compute(const Task& task, Scratch<Io>& scratch) const {
    const KeySpan keys = Start(task, scratch);
    for (int64_t first = keys.begin; first < keys.end; first += block_.keys) {
      const int64_t count = std::min(block_.keys, keys.end - first);
      const MatrixView s{scratch.s.data(), task.count, count, count};
      const ConstMatrixView q{scratch.q.data(), task.count, problem_.head_size, problem_.head_size};
      MultiplyTransposed(q, RowsOf<Io>(k_, task.b, task.kv_head, first, count, scratch.k), s);
      for (int64_t row = 0; row < task.count; ++row) UpdateRow(task, row, first, s, scratch);
      MultiplyAdd({s.data, s.rows, s.cols, s.stride},
                  RowsOf<Io>(v_, task.b, task.kv_head, first, count, scratch.v),
                  {scratch.o.data(), task.count, problem_.v_head_size, problem_.v_head_size});
    }
    for (int64_t row = 0; row < task.count; ++row) Finish(task, row, scratch);
  }

  // Loads the block's queries, empties its sums, and finds the keys that its rows see together.
  KeySpan Start(const Task& task, Scratch<Io>& scratch) const {
    const int64_t kv_length = KvLength(problem_, &lengths_, task.b);
    KeySpan all{problem_.kv_sequence_length, 0};
    for (int64_t row = 0; row < task.count; ++row) {
      const int64_t i = QueryOf(task, row);
      WidenRow(RowOf<Io>(q_, task.b, HeadOf(task, row), i), q_.strides[3], problem_.head_size,
               scratch.q.data() + row * problem_.head_size);
      const KeySpan keys = scratch.visible[row] = VisibleKeys(problem_, kv_length, i);
      if (keys.begin < keys.end)
        all = {std::min(all.begin, keys.begin), std::max(all.end, keys.end)};
    }
    std::fill_n(scratch.max.data(), task.count, kMinusInfinity);
    std::fill_n(scratch.sum.data(), task.count, 0.0f);
    std::fill_n(scratch.o.data(), task.count * problem_.v_head_size, 0.0f);
    return all;
  }

  // Products of one row with keys [first, first + s.cols) become P; max, sum and O follow.
  void UpdateRow(const Task& task, int64_t row, int64_t first, MatrixView s,
                 Scratch<Io>& scratch) const {
    float* p = s.data + row * s.stride;
    const KeySpan keys = scratch.visible[row];
    const int64_t begin = std::clamp<int64_t>(keys.begin - first, 0, s.cols);
    const int64_t end = std::clamp<int64_t>(keys.end - first, begin, s.cols);
    if (scoring_.has_steps())
      scoring_.Apply<Io>(mask_, task.b, HeadOf(task, row), QueryOf(task, row), first + begin,
                         end - begin, p + begin);
    const float block_max = begin < end ? RowMax(p + begin, end - begin) : kMinusInfinity;
    if (block_max == kMinusInfinity) {
      std::fill(p, p + s.cols, 0.0f);
      return;
    }
    std::fill(p, p + begin, 0.0f);
    std::fill(p + end, p + s.cols, 0.0f);
    float& max = scratch.max.data()[row];
    float& sum = scratch.sum.data()[row];
    if (block_max > max) {
      if (sum > 0) {
        const float shrink = Exp2((max - block_max) * scoring_.exponent_factor());
        ScaleRow(scratch.o.data() + row * problem_.v_head_size, problem_.v_head_size, shrink);
        sum *= shrink;
      }
      max = block_max;
    }
    sum += RowExp2(p + begin, end - begin, max, scoring_.exponent_factor());
  }

  void Finish(const Task& task, int64_t row, Scratch<Io>& scratch) const {
    const int64_t h = HeadOf(task, row);
    const int64_t i = QueryOf(task, row);
    const float sum = scratch.sum.data()[row];
    const bool dead = sum == 0;  // saw no key; a NaN sum is not dead
    NarrowRow(scratch.o.data() + row * problem_.v_head_size, dead ? 0.0f : 1.0f / sum,
              problem_.v_head_size, RowOf<Io>(out_, task.b, h, i), out_.strides[3]);
    if (problem_.outputs & ATTEST_OUTPUT_LSE)
      *RowOf<float>(lse_, task.b, h, i) =
          dead ? kMinusInfinity : scoring_.Lse(scratch.max.data()[row], sum);
  }

  const attest_problem problem_;
  const BlockSizes block_;
  const Scoring scoring_{problem_};
  ThreadPool& pool_;
  const uint64_t bytes_;
  std::vector<Scratch<Io>> scratch_;  // one per thread
  std::vector<Task> tasks_;
  attest_tensor q_{}, k_{}, v_{}, out_{}, mask_{}, lengths_{}, lse_{};
};

}  // namespace

std::unique_ptr<Plan> MakeFlashPlan(const Request& request, ThreadPool& pool) {
  return WithIoType(request.problem.dtype, [&](auto io) -> std::unique_ptr<Plan> {
    return std::make_unique<FlashPlan<decltype(io)>>(request, pool);
  });
}

uint64_t FlashBytes(const Request& request, unsigned threads) {
  const BlockSizes block = BlockSizesOf(request.problem, threads);
  return WithIoType(request.problem.dtype, [&](auto io) {
    return threads * Scratch<decltype(io)>::BytesOf(request, block);
  });
}

}  // namespace attest::eigen
