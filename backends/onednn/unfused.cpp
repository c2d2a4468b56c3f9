// SPDX-License-Identifier: Apache-2.0
//
// onednn:primitives. Unfused attention from matmul, softmax and matmul primitives: a block of query
// rows of one head against all keys that the block can see, so the scores of a row exist whole (S
// is rows x Lk per thread). Scale, softcap and masks are applied between the first two primitives.
// Threads take blocks from a queue; each primitive runs on one thread.
//
// The softmax stays in f32 and P is rounded here: asked for bf16, oneDNN 2.6.3 stores exp in bf16,
// and rounds a second time when it divides by the sum.
//
// oneDNN's own exp is within 4 f32 units but for the rounding of its argument, which the bound
// counts anyway; below e^-86.9 it gives 0, which no relative error can state: 2e-38 of V is lost
// there.
#include <algorithm>
#include <atomic>
#include <limits>
#include <optional>
#include <set>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "attest/aligned_buffer.hpp"
#include "attest/score_row.hpp"
#include "implementation.h"
#include "operand.h"
#include "plans.h"
#include "primitives.h"
#include "schedule.h"

namespace attest::onednn {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// The rules for products to which the first primitive has applied the scale.
attest_problem Scaled(attest_problem problem) {
  problem.scale = 1;
  return problem;
}

const attest_tensor& Tensor(const Request& request, int32_t role) {
  return GetTensor(request.tensors, role);
}

// What oneDNN chose for one block shape.
template <typename Io, typename Operand>
struct Choice {
  Choice(const Request& request, BlockShape block, const dnnl::engine& engine)
      : shape(block),
        scores(MatmulChoice::Transposed(
            Rows<Io, Operand>::MatrixOf(Tensor(request, ATTEST_ROLE_Q), block.rows),
            Rows<Io, Operand>::MatrixOf(Tensor(request, ATTEST_ROLE_K), block.keys),
            {block.rows, block.keys, block.keys, DataType::f32}, request.problem.scale, engine)),
        softmax(block.rows, block.keys, engine),
        out({block.rows, block.keys, block.keys, kDataType<Operand>},
            Rows<Io, Operand>::MatrixOf(Tensor(request, ATTEST_ROLE_V), block.keys),
            {block.rows, request.problem.v_head_size, request.problem.v_head_size, DataType::f32},
            MatmulChoice::kStore, engine) {}

  uint64_t scratchpad_bytes() const {
    return std::max(
        {scores.scratchpad_bytes(), softmax.scratchpad_bytes(), out.scratchpad_bytes()});
  }

  BlockShape shape;
  MatmulChoice scores;
  SoftmaxChoice softmax;
  MatmulChoice out;
};

// The choices for all shapes that have keys.
template <typename Io, typename Operand>
struct Choices {
  Choices(const Request& request, const Schedule& schedule, const dnnl::engine& engine) {
    for (const BlockShape& shape : schedule.shapes) {
      of_shape.emplace_back();
      most.rows = std::max(most.rows, shape.rows);
      if (shape.keys == 0) continue;
      const Choice<Io, Operand>& choice = of_shape.back().emplace(request, shape, engine);
      most.keys = std::max(most.keys, shape.keys);
      scores = std::max(scores, shape.rows * shape.keys);
      scratchpad_bytes = std::max(scratchpad_bytes, choice.scratchpad_bytes());
      matmul_names.insert(choice.scores.name());
      matmul_names.insert(choice.out.name());
      softmax_names.insert(choice.softmax.name());
    }
  }
  std::vector<std::optional<Choice<Io, Operand>>> of_shape;
  BlockShape most{0, 0};
  int64_t scores = 0;  // elements of the largest block
  uint64_t scratchpad_bytes = 0;
  std::set<std::string> matmul_names, softmax_names;
};

// What one thread computes with.
template <typename Io, typename Operand>
struct Worker {
  static constexpr bool kNarrow = !std::is_same_v<Operand, float>;
  struct Compiled {
    Matmul scores;
    Softmax softmax;
    Matmul out;
  };

  Worker(const Request& request, const Choices<Io, Operand>& choices, const dnnl::engine& engine)
      : stream(engine),
        q(Tensor(request, ATTEST_ROLE_Q), choices.most.rows),
        k(Tensor(request, ATTEST_ROLE_K), choices.most.keys),
        v(Tensor(request, ATTEST_ROLE_V), choices.most.keys),
        scores(choices.scores),
        narrow_p(kNarrow ? choices.scores : 0),
        out(choices.most.rows * request.problem.v_head_size),
        scratchpad(choices.scratchpad_bytes),
        dead(choices.most.rows) {
    for (const auto& choice : choices.of_shape) {
      compiled.emplace_back();
      if (choice)
        compiled.back().emplace(
            Compiled{{choice->scores, engine}, {choice->softmax, engine}, {choice->out, engine}});
    }
  }

  static uint64_t BytesOf(const Request& request, const Choices<Io, Operand>& choices) {
    const auto copies = [&](int32_t role, int64_t rows) {
      return Rows<Io, Operand>::BytesOf(Tensor(request, role), rows);
    };
    return copies(ATTEST_ROLE_Q, choices.most.rows) + copies(ATTEST_ROLE_K, choices.most.keys) +
           copies(ATTEST_ROLE_V, choices.most.keys) +
           choices.scores * (sizeof(float) + (kNarrow ? sizeof(Operand) : 0)) +
           choices.most.rows * (request.problem.v_head_size * sizeof(float) + 1) +
           choices.scratchpad_bytes;
  }

  dnnl::stream stream;
  Rows<Io, Operand> q, k, v;
  AlignedBuffer<float> scores;      // [rows, keys]: products, scores, then P
  AlignedBuffer<Operand> narrow_p;  // [rows, keys], where P is not multiplied in f32
  AlignedBuffer<float> out;         // [rows, v_head_size]
  AlignedBuffer<char> scratchpad;
  std::vector<char> dead;                         // [rows]: sees no key
  std::vector<std::optional<Compiled>> compiled;  // per shape
};

template <typename Io, typename Operand>
class PrimitivesPlan : public Plan {
 public:
  using PlanWorker = Worker<Io, Operand>;

  PrimitivesPlan(const Request& request, ThreadPool& pool, const dnnl::engine& engine)
      : problem_(request.problem), pool_(pool), schedule_(problem_, pool.threads()) {
    const Choices<Io, Operand> choices(request, schedule_, engine);
    for (unsigned thread = 0; thread < pool.threads(); ++thread)
      workers_.emplace_back(request, choices, engine);
    info_ = {ImplementationOf(choices.matmul_names, choices.softmax_names, kDataType<Operand>,
                              problem_.dtype),
             pool.threads() * PlanWorker::BytesOf(request, choices), 0};
  }

  void Bind(Tensors tensors) override {
    bound_ = BindSdpa(problem_, tensors);
    for (PlanWorker& worker : workers_) {
      worker.q.Bind(bound_.q);
      worker.k.Bind(bound_.k);
      worker.v.Bind(bound_.v);
    }
  }

  void Run() override {
    failed_ = false;
    pool_.Run(static_cast<int64_t>(schedule_.tasks.size()), [this](int64_t index, unsigned thread) {
#ifdef _OPENMP
      omp_set_num_threads(1);  // per thread: else each would start an OpenMP team of its own
#endif
      try {
        Compute(schedule_.tasks[index], workers_[thread]);
      } catch (const std::exception&) {
        failed_ = true;
      }
    });
    if (failed_) throw std::runtime_error("a oneDNN primitive failed to execute");
  }

  PlanInfo Info() override { return info_; }

 private:
  void Compute(const BlockTask& task, PlanWorker& worker) const {
    const int64_t kv_head = task.h / (problem_.q_num_heads / problem_.kv_num_heads);
    const auto [rows, keys] = task.shape;
    float* scores = worker.scores.data();
    if (auto& compiled = worker.compiled[task.shape_index]) {
      compiled->scores.Run(worker.stream, worker.q.Get(task.b, task.h, task.first, rows),
                           worker.k.Get(task.b, kv_head, 0, keys), scores,
                           worker.scratchpad.data());
      for (int64_t row = 0; row < rows; ++row) Score(task, row, worker);
      compiled->softmax.Run(worker.stream, scores, worker.scratchpad.data());
      for (int64_t row = 0; row < rows; ++row) Weigh(task, row, worker);
      compiled->out.Run(worker.stream, Probabilities(worker),
                        worker.v.Get(task.b, kv_head, 0, keys), worker.out.data(),
                        worker.scratchpad.data());
    } else {
      std::fill_n(worker.dead.begin(), rows, 1);
    }
    for (int64_t row = 0; row < rows; ++row) Store(task, row, worker);
  }

  static const Operand* Probabilities(PlanWorker& worker) {
    if constexpr (PlanWorker::kNarrow)
      return worker.narrow_p.data();
    else
      return worker.scores.data();
  }

  // Products become scores; LSE follows. A row that sees nothing is given zeros, as a softmax of
  // -inf only would be NaN, and marked.
  void Score(const BlockTask& task, int64_t row, PlanWorker& worker) const {
    const int64_t count = task.shape.keys;
    const int64_t i = task.first + row;
    float* scores = worker.scores.data() + row * count;
    const KeySpan keys = VisibleKeys(problem_, KvLength(problem_, &bound_.lengths, task.b), i);
    const int64_t begin = std::min(keys.begin, count);
    const int64_t end = std::min(keys.end, count);
    if (scoring_.has_steps())
      scoring_.template Apply<Io>(bound_.mask, task.b, task.h, i, begin, end - begin,
                                  scores + begin);
    std::fill(scores, scores + begin, kMinusInfinity);
    std::fill(scores + end, scores + count, kMinusInfinity);
    const bool needs_max =
        problem_.attn_mask != ATTEST_MASK_NONE || (problem_.outputs & ATTEST_OUTPUT_LSE);
    float max = begin < end ? 0.0f : kMinusInfinity;
    if (needs_max && begin < end) max = RowMax(scores + begin, end - begin);
    worker.dead[row] = IsDead(scores + begin, end - begin, max);
    if (worker.dead[row]) std::fill_n(scores, count, 0.0f);
    if (problem_.outputs & ATTEST_OUTPUT_LSE)
      *RowOf<float>(bound_.lse, task.b, task.h, i) =
          worker.dead[row] ? kMinusInfinity : Lse(scores + begin, end - begin, max);
  }

  // oneDNN keeps the sums of its softmax to itself.
  float Lse(const float* scores, int64_t count, float max) const {
    float sum = 0;
    for (int64_t j = 0; j < count; ++j) sum += Exp2((scores[j] - max) * scoring_.exponent_factor());
    return scoring_.Lse(max, sum);
  }

  // P in the type of the second product; WEIGHTS are that P.
  void Weigh(const BlockTask& task, int64_t row, PlanWorker& worker) const {
    const int64_t count = task.shape.keys;
    float* p = worker.scores.data() + row * count;
    if (worker.dead[row]) std::fill_n(p, count, 0.0f);
    if constexpr (PlanWorker::kNarrow)
      NarrowRow(p, 1.0f, count, worker.narrow_p.data() + row * count, 1);
    if (problem_.outputs & ATTEST_OUTPUT_WEIGHTS) StoreWeights(task, row, p, count);
  }

  // Zeros behind the `count` keys that were computed.
  void StoreWeights(const BlockTask& task, int64_t row, const float* p, int64_t count) const {
    Io* weights = RowOf<Io>(bound_.weights, task.b, task.h, task.first + row);
    const int64_t step = bound_.weights.strides[3];
    NarrowRow(p, 1.0f, count, weights, step);
    for (int64_t j = count; j < problem_.kv_sequence_length; ++j) weights[j * step] = Io{};
  }

  void Store(const BlockTask& task, int64_t row, PlanWorker& worker) const {
    const int64_t size = problem_.v_head_size;
    float* out = worker.out.data() + row * size;
    if (worker.dead[row]) std::fill_n(out, size, 0.0f);
    NarrowRow(out, 1.0f, size, RowOf<Io>(bound_.out, task.b, task.h, task.first + row),
              bound_.out.strides[3]);
    if (worker.compiled[task.shape_index]) return;
    if (problem_.outputs & ATTEST_OUTPUT_LSE)
      *RowOf<float>(bound_.lse, task.b, task.h, task.first + row) = kMinusInfinity;
    if (problem_.outputs & ATTEST_OUTPUT_WEIGHTS) StoreWeights(task, row, nullptr, 0);
  }

  const attest_problem problem_;
  const Scoring scoring_{Scaled(problem_)};
  ThreadPool& pool_;
  const Schedule schedule_;
  std::vector<PlanWorker> workers_;  // one per thread
  std::atomic<bool> failed_{false};
  PlanInfo info_;
  SdpaTensors bound_{};
};

}  // namespace

std::unique_ptr<Plan> MakePrimitivesPlan(const Request& request, ThreadPool& pool,
                                         const dnnl::engine& engine) {
  const int32_t dtype = request.problem.dtype;
  return WithTypes(dtype, ProductTypeOf(dtype, engine),
                   [&](auto io, auto operand) -> std::unique_ptr<Plan> {
                     return std::make_unique<PrimitivesPlan<decltype(io), decltype(operand)>>(
                         request, pool, engine);
                   });
}

uint64_t PrimitivesBytes(const Request& request, unsigned threads, const dnnl::engine& engine) {
  const int32_t dtype = request.problem.dtype;
  return WithTypes(dtype, ProductTypeOf(dtype, engine), [&](auto io, auto operand) {
    using Io = decltype(io);
    using Operand = decltype(operand);
    const Choices<Io, Operand> choices(request, Schedule(request.problem, threads), engine);
    return threads * Worker<Io, Operand>::BytesOf(request, choices);
  });
}

}  // namespace attest::onednn
