// SPDX-License-Identifier: Apache-2.0
//
// Flash attention on a host CPU but for its two matrix products, which a library brings. Blocks of
// query rows against blocks of keys, online softmax in f32 between the products, memory O(threads *
// block). The query heads of one kv head are stacked into the rows of a block, so K and V are read
// once for the group. A block walks only the keys that one of its rows can see; inside, hidden keys
// get P = 0 exactly. Everything of abi.h but the attention weights, which never exist whole.
// Source of the recurrence: Dao, FlashAttention-2 (arXiv 2307.08691), with O divided by the row sum
// once, at the end. What is taken off a row's scores is no exact maximum, for which they would have
// to be read once more: it starts as that of the first kFirstScores, and is moved, O and sum
// rescaled, only where an exponent passes kMostExponent.
#ifndef ATTEST_FLASH_HPP_
#define ATTEST_FLASH_HPP_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "attest/aligned_buffer.hpp"
#include "attest/backend.hpp"
#include "attest/convert_row.hpp"
#include "attest/flash_tasks.hpp"
#include "attest/score_row.hpp"
#include "attest/sdpa.hpp"
#include "attest/softmax_row.hpp"
#include "attest/thread_pool.hpp"

namespace attest::flash {

// One part of a block, or several of them side by side.
template <typename Operand>
struct Part {
  int64_t first;  // row of the task
  int64_t count;
  KeySpan keys;      // what its rows see together
  bool started;      // O holds something
  const Operand* q;  // [count, head_size]
};

// Scores of one row.
struct ScoreRow {
  float* first;        // of all keys of the step
  int64_t begin, end;  // which of them the row sees
  float shift;         // what is taken off them
};

// The scratch of one thread. Operand is the type in which the library takes Q and P: f32, or the io
// type itself.
template <typename Operand>
struct Scratch {
  static constexpr bool kNarrow = !std::is_same_v<Operand, float>;

  Scratch(const Request& request, BlockSizes block)
      : q(QueryElements(request, block)),
        s(block.rows * block.keys),
        narrow_p(kNarrow ? block.rows * block.keys : 0),
        o(block.task_rows() * block.out_columns),
        shift(block.task_rows()),
        sum(block.task_rows()),
        visible(block.task_rows()) {
    parts.reserve(block.blocks_per_task * block.parts_per_block());
  }

  static uint64_t BytesOf(const Request& request, BlockSizes block) {
    const int64_t scores = block.rows * block.keys;
    const int64_t rows = block.task_rows();
    return sizeof(Operand) * (QueryElements(request, block) + (kNarrow ? scores : 0)) +
           sizeof(float) * (scores + rows * (block.out_columns + 2)) + sizeof(KeySpan) * rows +
           sizeof(Part<Operand>) * block.blocks_per_task * block.parts_per_block();
  }

  // Whether all rows of a task lie in Q one behind the other, as the library takes them.
  static bool TakesQInPlace(const Request& request) {
    const attest_problem& problem = request.problem;
    const attest_tensor& q = GetTensor(request.tensors, ATTEST_ROLE_Q);
    const int64_t head = problem.q_sequence_length * problem.head_size;
    return (kNarrow || problem.dtype == ATTEST_F32) && q.strides[3] == 1 &&
           q.strides[2] == problem.head_size && (GroupOf(problem) == 1 || q.strides[1] == head);
  }

  // P of the block, as the second product takes it.
  const Operand* p() {
    if constexpr (kNarrow)
      return narrow_p.data();
    else
      return s.data();
  }

  AlignedBuffer<Operand> q;         // [task rows, head_size] where Q is not taken in place
  AlignedBuffer<float> s;           // [rows, keys of the step]: products, scores, then P
  AlignedBuffer<Operand> narrow_p;  // [rows, keys of the step], where P is not multiplied in f32
  AlignedBuffer<float> o;           // [task rows, out_columns], not yet divided by sum
  AlignedBuffer<float> shift;       // [task rows] near the largest score so far, as Scoring left it
  AlignedBuffer<float> sum;         // [task rows] of exp so far
  std::vector<KeySpan> visible;     // [task rows]
  std::vector<Part<Operand>> parts;  // of the task

 private:
  static int64_t QueryElements(const Request& request, BlockSizes block) {
    return TakesQInPlace(request) ? 0 : block.task_rows() * request.problem.head_size;
  }
};

// The plan. Products is what the library does, one object per thread:
//   using Operand                      the type of Q and P in its products
//   static constexpr int64_t kAlign    steps over keys begin at a multiple of it
//   void Bind(const attest_tensor& k, const attest_tensor& v)
//   int64_t StepKeys(first, end)       keys to multiply at once, of [first, end) and at most up to
//                                      the block's and the problem's; it may round up
//   void Prepare(b, kv_head, first, keys)     K and V of a step, before its blocks
//   void Scores(rows, KeySpan keys, const Operand* q, float* s)
//                                      s = q K^T, [rows, keys], of those keys of the step, which
//                                      begin at a multiple of kAlign
//   void Accumulate(rows, KeySpan keys, const Operand* p, float* o, bool clear)
//                                      o += p V; clear: o = p V; [rows, out_columns], what stands
//                                      behind V's own columns is never read
template <typename Io, typename Products>
class FlashPlan final : public Plan {
 public:
  using Operand = typename Products::Operand;

  // One of `products` for each thread of the pool.
  FlashPlan(const Request& request, ThreadPool& pool, BlockSizes block,
            std::vector<Products> products, PlanInfo info)
      : problem_(request.problem),
        pool_(pool),
        products_(std::move(products)),
        tasks_(MakeTasks(problem_, block)),
        block_(block),
        q_in_place_(Scratch<Operand>::TakesQInPlace(request)),
        info_(std::move(info)) {
    for (unsigned thread = 0; thread < pool.threads(); ++thread)
      scratch_.emplace_back(request, block);
  }

  void Bind(Tensors tensors) override {
    bound_ = BindSdpa(problem_, tensors);
    for (Products& products : products_) products.Bind(bound_.k, bound_.v);
  }

  void Run() override {
    failed_ = false;
    pool_.Run(static_cast<int64_t>(tasks_.size()), [this](int64_t index, unsigned thread) {
      try {
        Compute(tasks_[index], products_[thread], scratch_[thread]);
      } catch (const std::exception&) {
        failed_ = true;
      }
    });
    if (failed_) throw std::runtime_error("a matrix product failed");
  }

  PlanInfo Info() override { return info_; }

 private:
  using TaskPart = Part<Operand>;
  static constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
  static constexpr int64_t kFirstScores = 64;
  static constexpr float kMostExponent = 8.0f;  // P to 2^8, which f16 holds

  // Without groups there is nothing to divide, which took a few cycles of every row.
  int64_t HeadOf(const Task& task, int64_t row) const {
    if (group_ == 1) return task.kv_head;
    return task.kv_head * group_ + (task.first + row) / problem_.q_sequence_length;
  }
  int64_t QueryOf(const Task& task, int64_t row) const {
    const int64_t stacked = task.first + row;
    return group_ == 1 ? stacked : stacked % problem_.q_sequence_length;
  }

  void Compute(const Task& task, Products& products, Scratch<Operand>& scratch) const {
    const KeySpan keys = Start(task, scratch);
    const int64_t begin = keys.begin / Products::kAlign * Products::kAlign;
    for (int64_t first = begin, count; first < keys.end; first += count) {
      count = products.StepKeys(first, keys.end);
      products.Prepare(task.b, task.kv_head, first, count);
      for (size_t part = 0; part < scratch.parts.size();)
        part = StepTogether(task, part, first, count, products, scratch);
    }
    for (int64_t row = 0; row < task.count; ++row) Finish(task, row, scratch);
  }

  // What a part needs of the step [first, first + count), from its first key on.
  static KeySpan NeededKeys(const TaskPart& part, int64_t first, int64_t count,
                            const Products& products) {
    const int64_t seen = std::max(part.keys.begin, first);
    const int64_t end = std::min(part.keys.end, first + count);
    if (seen >= end) return {0, 0};
    const int64_t begin = (seen - first) / Products::kAlign * Products::kAlign;
    return {begin, begin + products.StepKeys(first + begin, end)};
  }

  // The step for part `index` and those behind it, in the same block, that can join: returns the
  // first one that is left.
  size_t StepTogether(const Task& task, size_t index, int64_t first, int64_t count,
                      Products& products, Scratch<Operand>& scratch) const {
    const size_t per_block = block_.parts_per_block();
    const size_t end = std::min(scratch.parts.size(), (index / per_block + 1) * per_block);
    TaskPart together = scratch.parts[index];
    const KeySpan needed = NeededKeys(together, first, count, products);
    size_t next = index + 1;
    for (; next < end; ++next) {
      const TaskPart& part = scratch.parts[next];
      if (part.started != together.started || NeededKeys(part, first, count, products) != needed)
        break;
      together.count += part.count;
    }
    if (needed.begin == needed.end) return next;
    Step(task, together, first, needed, products, scratch);
    for (size_t part = index; part < next; ++part) scratch.parts[part].started = true;
    return next;
  }

  // Rows that lie in one block against keys of the step that begins at `step`. The next row's first
  // shift is looked for before a row's exponentials are computed, so that nothing waits for it.
  void Step(const Task& task, const TaskPart& part, int64_t step, KeySpan keys, Products& products,
            Scratch<Operand>& scratch) const {
    const int64_t first = step + keys.begin, count = keys.end - keys.begin;
    products.Scores(part.count, keys, part.q, scratch.s.data());
    const auto scores_of = [&](int64_t row) {
      return Score(task, part.first + row, first, count, scratch.s.data() + row * count, scratch);
    };
    ScoreRow scores = scores_of(0);
    for (int64_t row = 0; row < part.count; ++row) {
      const ScoreRow next = row + 1 < part.count ? scores_of(row + 1) : scores;
      Weigh(part.first + row, count, scores, scratch);
      if constexpr (Scratch<Operand>::kNarrow)
        NarrowRow(scores.first, 1.0f, count, scratch.narrow_p.data() + row * count, 1);
      scores = next;
    }
    products.Accumulate(part.count, keys, scratch.p(), OutRow(part.first, scratch), !part.started);
  }

  // Loads the task's queries, empties its sums, and finds the keys that rows see together.
  KeySpan Start(const Task& task, Scratch<Operand>& scratch) const {
    KeySpan all{0, 0};
    scratch.parts.clear();
    for (int64_t block = 0; block < task.count; block += block_.rows) {
      const int64_t end = std::min(block + block_.rows, task.count);
      for (int64_t first = block; first < end; first += block_.part_rows) {
        const int64_t count = std::min(block_.part_rows, end - first);
        scratch.parts.push_back(StartPart(task, first, count, scratch));
        all = Together(all, scratch.parts.back().keys);
      }
    }
    std::fill_n(scratch.shift.data(), task.count, kMinusInfinity);
    std::fill_n(scratch.sum.data(), task.count, 0.0f);
    return all;
  }

  TaskPart StartPart(const Task& task, int64_t first, int64_t count,
                     Scratch<Operand>& scratch) const {
    const int64_t kv_length = KvLength(problem_, &bound_.lengths, task.b);
    int64_t begin = problem_.kv_sequence_length, end = 0;
    for (int64_t row = first; row < first + count; ++row) {
      const KeySpan keys = VisibleKeys(problem_, kv_length, QueryOf(task, row));
      scratch.visible[row] = keys;
      if (keys.begin == keys.end) continue;
      begin = std::min(begin, keys.begin);
      end = std::max(end, keys.end);
    }
    return {first, count, {std::min(begin, end), end}, false, Queries(task, first, count, scratch)};
  }

  // Rows of Q where they lie, if they do so one behind the other, else their copy.
  const Operand* Queries(const Task& task, int64_t first, int64_t count,
                         Scratch<Operand>& scratch) const {
    if constexpr (std::is_same_v<Io, Operand>)
      if (q_in_place_) return QueryRow(task, first);
    for (int64_t row = first; row < first + count; ++row)
      CopyRow(QueryRow(task, row), bound_.q.strides[3], problem_.head_size,
              scratch.q.data() + row * problem_.head_size);
    return scratch.q.data() + first * problem_.head_size;
  }
  float* OutRow(int64_t row, Scratch<Operand>& scratch) const {
    return scratch.o.data() + row * block_.out_columns;
  }
  const Io* QueryRow(const Task& task, int64_t row) const {
    return RowOf<Io>(bound_.q, task.b, HeadOf(task, row), QueryOf(task, row));
  }

  // Products of one row with keys [first, first + count) become scores where it sees the keys.
  ScoreRow Score(const Task& task, int64_t row, int64_t first, int64_t count, float* s,
                 Scratch<Operand>& scratch) const {
    const KeySpan keys = scratch.visible[row];
    const int64_t begin = std::clamp<int64_t>(keys.begin - first, 0, count);
    const int64_t end = std::clamp<int64_t>(keys.end - first, begin, count);
    if (scoring_.has_steps())
      scoring_.Apply<Io>(bound_.mask, task.b, HeadOf(task, row), QueryOf(task, row), first + begin,
                         end - begin, s + begin);
    return {s, begin, end, ShiftOf(s + begin, end - begin, scratch.shift.data()[row])};
  }

  // The shift to start a row's scores with; -inf where it has met none.
  static float ShiftOf(const float* scores, int64_t count, float shift) {
    if (count == 0 || shift != kMinusInfinity) return shift;
    const float first = RowMax(scores, std::min(count, kFirstScores));
    return first != kMinusInfinity ? first : RowMax(scores, count);
  }

  // Scores of one row with `count` keys become P; shift, sum and O follow.
  void Weigh(int64_t row, int64_t count, const ScoreRow& scores, Scratch<Operand>& scratch) const {
    float* const p = scores.first;
    float* const seen = p + scores.begin;
    const int64_t seen_count = scores.end - scores.begin;
    if (IsDead(seen, seen_count, scores.shift)) {
      std::fill(p, p + count, 0.0f);
      return;
    }
    std::fill(p, seen, 0.0f);
    std::fill(p + scores.end, p + count, 0.0f);
    float& shift = scratch.shift.data()[row];
    float& sum = scratch.sum.data()[row];
    shift = scores.shift;
    for (int64_t done = 0;;) {
      const ExpPart part =
          ExpRow(seen + done, seen_count - done, shift, scoring_.exponent_factor(), kMostExponent);
      sum += part.sum;
      done += part.count;
      if (done == seen_count) return;
      const float highest = RowMax(seen + done, seen_count - done);
      const float shrink = Exp2((shift - highest) * scoring_.exponent_factor());
      ScaleRow(seen, done, shrink);
      ScaleRow(OutRow(row, scratch), problem_.v_head_size, shrink);
      sum *= shrink;
      shift = highest;
    }
  }

  void Finish(const Task& task, int64_t row, Scratch<Operand>& scratch) const {
    const int64_t h = HeadOf(task, row);
    const int64_t i = QueryOf(task, row);
    const float sum = scratch.sum.data()[row];
    float* o = OutRow(row, scratch);
    const bool dead = sum == 0;                            // saw no key; a NaN sum is not dead
    if (dead) std::fill_n(o, problem_.v_head_size, 0.0f);  // of another task, if none was computed
    NarrowRow(o, dead ? 0.0f : 1.0f / sum, problem_.v_head_size,
              RowOf<Io>(bound_.out, task.b, h, i), bound_.out.strides[3]);
    if (problem_.outputs & ATTEST_OUTPUT_LSE)
      *RowOf<float>(bound_.lse, task.b, h, i) =
          dead ? kMinusInfinity : scoring_.Lse(scratch.shift.data()[row], sum);
  }

  const attest_problem problem_;
  const int64_t group_ = GroupOf(problem_);
  const Scoring scoring_{problem_};
  ThreadPool& pool_;
  std::vector<Products> products_;         // one per thread
  std::vector<Scratch<Operand>> scratch_;  // one per thread
  const std::vector<Task> tasks_;
  const BlockSizes block_;
  const bool q_in_place_;
  std::atomic<bool> failed_{false};
  const PlanInfo info_;
  SdpaTensors bound_{};
};

}  // namespace attest::flash

#endif  // ATTEST_FLASH_HPP_
