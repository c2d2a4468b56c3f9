// SPDX-License-Identifier: Apache-2.0
//
// onednn:primitives. Unfused attention from matmul, softmax and matmul primitives: a block of query
// rows of one head against all keys that the block can see, so the scores of a row exist whole (S
// is rows x Lk per thread). Keys hidden from single rows get -inf between the first two primitives.
// Threads take blocks from a queue; each primitive runs on one thread. Primitives exist per
// block shape: under a causal mask the key count is rounded up so that there are few shapes.
//
// oneDNN's own exp is within 4 f32 units but for the rounding of its argument, which the bound
// counts anyway; below e^-86.9 it gives 0, which no relative error can state: 2e-38 of V is lost
// there.
#include "plan.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <set>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "attest/half.hpp"
#include "attest/sdpa.hpp"
#include "primitives.h"

namespace attest::onednn {
namespace {

constexpr int64_t kQueryRows = 128;
constexpr int64_t kKeySteps = 32;  // shapes of a causal problem, at most; each step wastes 1/64

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

int64_t IoBytes(int32_t dtype) { return dtype == ATTEST_F32 ? 4 : 2; }

// Rows [first, first + shape.rows) of a head against keys [0, shape.keys).
struct Task {
  int64_t b;
  int64_t h;
  int64_t first;
  BlockShape shape;
  size_t primitives;  // index of the shape among the plan's
};

struct Schedule {
  std::vector<Task> tasks;  // longest first
  std::vector<BlockShape> shapes;
};

int64_t RowsPerTask(const attest_problem& problem, unsigned threads) {
  const int64_t heads = problem.batch_size * problem.q_num_heads;
  // Smaller blocks where there would be too few tasks to balance.
  const int64_t wanted = (4 * threads + heads - 1) / heads;
  const int64_t length = problem.q_sequence_length;
  const int64_t blocks =
      std::max((length + kQueryRows - 1) / kQueryRows, std::min(wanted, (length + 31) / 32));
  return std::min(length, RoundUp((length + blocks - 1) / blocks, 16));
}

// The block of rows [first, first + rows), with the keys that any of them can see.
BlockShape ShapeOf(const attest_problem& problem, int64_t first, int64_t rows) {
  const int64_t length = problem.kv_sequence_length;
  int64_t end = 0;
  for (int64_t i = first; i < first + rows; ++i)
    end = std::max(end, VisibleKeys(problem, length, i).end);
  // With lengths per batch entry the offset, and so the span, is known only when the plan runs.
  if (problem.has_kv_lengths) end = length;
  const int64_t step = RoundUp((length + kKeySteps - 1) / kKeySteps, 64);
  return {rows, std::min(RoundUp(end, step), length)};
}

Schedule MakeSchedule(const attest_problem& problem, unsigned threads) {
  Schedule schedule;
  const int64_t rows = RowsPerTask(problem, threads);
  for (int64_t first = 0; first < problem.q_sequence_length; first += rows) {
    const BlockShape shape =
        ShapeOf(problem, first, std::min(rows, problem.q_sequence_length - first));
    auto& shapes = schedule.shapes;
    const auto found = std::find(shapes.begin(), shapes.end(), shape);
    const size_t index = found - shapes.begin();
    if (found == shapes.end()) shapes.push_back(shape);
    for (int64_t b = 0; b < problem.batch_size; ++b)
      for (int64_t h = 0; h < problem.q_num_heads; ++h)
        schedule.tasks.push_back({b, h, first, shape, index});
  }
  std::stable_sort(schedule.tasks.begin(), schedule.tasks.end(),
                   [](const Task& x, const Task& y) { return x.shape.keys > y.shape.keys; });
  return schedule;
}

// oneDNN's choices for all shapes that have keys, and the bytes a thread needs for any of them.
struct Choices {
  std::vector<std::optional<BlockChoice>> of_shape;
  uint64_t score_bytes = 0;
  uint64_t weight_bytes = 0;  // 0: weights replace the scores in place
  uint64_t scratchpad_bytes = 0;

  Choices(const Request& request, const std::vector<BlockShape>& shapes,
          const dnnl::engine& engine) {
    for (const BlockShape& shape : shapes) {
      of_shape.emplace_back();
      if (shape.keys == 0) continue;
      const BlockChoice& choice = of_shape.back().emplace(request, shape, engine);
      const uint64_t scores = shape.rows * shape.keys;
      score_bytes = std::max(score_bytes, scores * sizeof(float));
      if (request.problem.dtype != ATTEST_F32)
        weight_bytes = std::max(weight_bytes, scores * IoBytes(request.problem.dtype));
      scratchpad_bytes = std::max(scratchpad_bytes, choice.scratchpad_bytes());
    }
  }

  uint64_t bytes_per_thread() const { return score_bytes + weight_bytes + scratchpad_bytes; }

  // "matmul: brg:avx512_core, softmax: jit:avx512_core", each name once; whether one is a reference
  // kernel, a thousand times slower, comes first.
  std::string Names() const {
    std::set<std::string> matmul, softmax;
    for (const auto& choice : of_shape) {
      if (!choice) continue;
      for (const std::string& name : choice->matmul_names()) matmul.insert(name);
      softmax.insert(choice->softmax_name());
    }
    if (matmul.empty()) return std::string(kOptimized) + ", none needed: every row is dead";
    std::string text = "matmul:";
    for (const std::string& name : matmul) text += " " + name;
    text += ", softmax:";
    for (const std::string& name : softmax) text += " " + name;
    const bool reference = text.find("ref") != std::string::npos;
    return std::string(reference ? "REFERENCE PRIMITIVES" : kOptimized) + ", " + text;
  }
};

class Bytes {
 public:
  explicit Bytes(uint64_t count) {
    const size_t rounded = std::max<uint64_t>(count + 63, 64) / 64 * 64;
    data_.reset(static_cast<char*>(std::aligned_alloc(64, rounded)));
    if (data_ == nullptr) throw std::bad_alloc();
    std::memset(data_.get(), 0, rounded);  // its pages exist before anything is timed
  }
  char* data() { return data_.get(); }

 private:
  struct Free {
    void operator()(char* data) const { std::free(data); }
  };
  std::unique_ptr<char[], Free> data_;
};

// What one thread computes with.
struct Worker {
  Worker(const Choices& choices, const dnnl::engine& engine)
      : stream(engine),
        scores(choices.score_bytes),
        weights(choices.weight_bytes),
        scratchpad(choices.scratchpad_bytes) {
    for (const auto& choice : choices.of_shape) {
      primitives.emplace_back();
      if (choice) primitives.back().emplace(*choice, engine);
    }
  }

  dnnl::stream stream;
  Bytes scores, weights, scratchpad;
  std::vector<std::optional<BlockPrimitives>> primitives;  // per shape
};

class PrimitivesPlan : public Plan {
 public:
  PrimitivesPlan(const Request& request, ThreadPool& pool, const dnnl::engine& engine)
      : problem_(request.problem),
        io_bytes_(IoBytes(request.problem.dtype)),
        pool_(pool),
        schedule_(MakeSchedule(problem_, pool.threads())) {
    const Choices choices(request, schedule_.shapes, engine);
    for (unsigned thread = 0; thread < pool.threads(); ++thread)
      workers_.emplace_back(choices, engine);
    in_place_ = choices.weight_bytes == 0;
    info_ = {choices.Names(), pool.threads() * choices.bytes_per_thread(), 0};
  }

  void Bind(Tensors tensors) override {
    q_ = GetTensor(tensors, ATTEST_ROLE_Q);
    k_ = GetTensor(tensors, ATTEST_ROLE_K);
    v_ = GetTensor(tensors, ATTEST_ROLE_V);
    out_ = GetTensor(tensors, ATTEST_ROLE_OUT);
    if (problem_.has_kv_lengths) lengths_ = GetTensor(tensors, ATTEST_ROLE_KV_LENGTHS);
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
  char* Address(const attest_tensor& tensor, int64_t b, int64_t h, int64_t i) const {
    return static_cast<char*>(tensor.data) +
           io_bytes_ * (b * tensor.strides[0] + h * tensor.strides[1] + i * tensor.strides[2]);
  }

  void Compute(const Task& task, Worker& worker) const {
    const int64_t kv_head = task.h / (problem_.q_num_heads / problem_.kv_num_heads);
    if (auto& primitives = worker.primitives[task.primitives]) {
      float* scores = reinterpret_cast<float*>(worker.scores.data());
      primitives->Bind({Address(q_, task.b, task.h, task.first), Address(k_, task.b, kv_head, 0),
                        Address(v_, task.b, kv_head, 0), scores,
                        in_place_ ? worker.scores.data() : worker.weights.data(),
                        Address(out_, task.b, task.h, task.first), worker.scratchpad.data()});
      primitives->RunScores(worker.stream);
      HideKeys(task, scores);
      primitives->RunSoftmaxAndOut(worker.stream);
    }
    ClearDeadRows(task);
  }

  KeySpan Visible(const Task& task, int64_t row) const {
    return VisibleKeys(problem_, KvLength(problem_, &lengths_, task.b), task.first + row);
  }

  // A row that sees nothing is left alone: softmax of -inf only would be NaN.
  void HideKeys(const Task& task, float* scores) const {
    constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
    for (int64_t row = 0; row < task.shape.rows; ++row) {
      const KeySpan keys = Visible(task, row);
      float* p = scores + row * task.shape.keys;
      if (keys.begin == keys.end) continue;
      std::fill(p, p + keys.begin, kMinusInfinity);
      std::fill(p + keys.end, p + task.shape.keys, kMinusInfinity);
    }
  }

  void ClearDeadRows(const Task& task) const {
    for (int64_t row = 0; row < task.shape.rows; ++row) {
      const KeySpan keys = Visible(task, row);
      if (keys.begin < keys.end) continue;
      char* out = Address(out_, task.b, task.h, task.first + row);
      std::memset(out, 0, io_bytes_ * problem_.v_head_size);  // +0 in every io type
    }
  }

  const attest_problem problem_;
  const int64_t io_bytes_;
  ThreadPool& pool_;
  const Schedule schedule_;
  std::vector<Worker> workers_;  // one per thread
  bool in_place_ = true;
  std::atomic<bool> failed_{false};
  PlanInfo info_;
  attest_tensor q_{}, k_{}, v_{}, out_{}, lengths_{};
};

}  // namespace

std::unique_ptr<Plan> MakePrimitivesPlan(const Request& request, ThreadPool& pool,
                                         const dnnl::engine& engine) {
  return std::make_unique<PrimitivesPlan>(request, pool, engine);
}

uint64_t PrimitivesBytes(const Request& request, unsigned threads, const dnnl::engine& engine) {
  const Schedule schedule = MakeSchedule(request.problem, threads);
  return threads * Choices(request, schedule.shapes, engine).bytes_per_thread();
}

std::optional<std::string> WhyNoPrimitives(const Request& request, unsigned threads,
                                           const dnnl::engine& engine) {
  for (const int32_t role : {ATTEST_ROLE_Q, ATTEST_ROLE_K, ATTEST_ROLE_V, ATTEST_ROLE_OUT})
    if (GetTensor(request.tensors, role).strides[3] != 1)
      return "oneDNN's fast matmul wants contiguous elements in a row";
  try {
    PrimitivesBytes(request, threads, engine);
  } catch (const dnnl::error& error) {
    return "oneDNN " + LibraryVersion() +
           " has no primitives for this io type here: " + error.message;
  }
  return std::nullopt;
}

}  // namespace attest::onednn
