// SPDX-License-Identifier: Apache-2.0
//
// onednn:flash. The products of attest/flash.hpp by matmul primitives, one set for each shape of a
// step: S = Q K^T, O = P V, O += P V. Steps over keys begin at multiples of 64 and take multiples
// of 64 keys, or all that are left, so that there are few shapes; primitives are made where no
// OpenMP team can be, for the one thread that will run each. bf16 and f16 are multiplied as they
// are where oneDNN can, with P rounded to that type once; else they are converted to f32 block by
// block.
#include "attest/flash.hpp"

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "implementation.h"
#include "operand.h"
#include "plans.h"
#include "primitives.h"

namespace attest::onednn {
namespace {

using flash::BlockSizes;

constexpr BlockSizes kMostOfABlock = {128, 512};
constexpr int64_t kKeyStep = 64;

// Keys that a step beginning at `first` multiplies at once.
int64_t StepKeysOf(const attest_problem& problem, BlockSizes block, int64_t first, int64_t end) {
  const int64_t wanted = (end - first + kKeyStep - 1) / kKeyStep * kKeyStep;
  return std::min({wanted, block.keys, problem.kv_sequence_length - first});
}

BlockSizes BlockOf(const attest_problem& problem, unsigned threads) {
  return flash::BlockSizesFor(problem, threads, kMostOfABlock);
}

using Shape = std::pair<int64_t, int64_t>;  // rows, keys

// Every shape that a run may need. With lengths per batch entry spans are known only then, so any
// multiple of 64 keys may come, and whatever is left behind any start.
std::set<Shape> ShapesOf(const attest_problem& problem, BlockSizes block) {
  const int64_t length = problem.kv_sequence_length;
  std::set<Shape> shapes;
  for (const flash::Task& task : flash::MakeTasks(problem, block.rows)) {
    const KeySpan keys = problem.has_kv_lengths ? KeySpan{0, length} : task.keys;
    for (int64_t first = keys.begin / kKeyStep * kKeyStep, count; first < keys.end; first += count)
      shapes.emplace(task.count, count = StepKeysOf(problem, block, first, keys.end));
    if (!problem.has_kv_lengths) continue;
    for (int64_t first = 0; first < length; first += kKeyStep) {
      shapes.emplace(task.count, StepKeysOf(problem, block, 0, first + 1));
      shapes.emplace(task.count, StepKeysOf(problem, block, first, length));
    }
  }
  return shapes;
}

template <typename Io, typename Operand>
struct Choice {
  Choice(const Request& request, Shape shape, const dnnl::engine& engine)
      : Choice(request.problem, GetTensor(request.tensors, ATTEST_ROLE_K),
               GetTensor(request.tensors, ATTEST_ROLE_V), shape, engine) {}

  Choice(const attest_problem& problem, const attest_tensor& k, const attest_tensor& v, Shape shape,
         const dnnl::engine& engine)
      : scores(MatmulChoice::Transposed(Dense(shape.first, problem.head_size, kDataType<Operand>),
                                        Rows<Io, Operand>::MatrixOf(k, shape.second),
                                        Dense(shape.first, shape.second, DataType::f32), 1,
                                        engine)),
        store(Dense(shape.first, shape.second, kDataType<Operand>),
              Rows<Io, Operand>::MatrixOf(v, shape.second),
              Dense(shape.first, problem.v_head_size, DataType::f32), MatmulChoice::kStore, engine),
        add(Dense(shape.first, shape.second, kDataType<Operand>),
            Rows<Io, Operand>::MatrixOf(v, shape.second),
            Dense(shape.first, problem.v_head_size, DataType::f32), MatmulChoice::kAdd, engine) {}

  static Matrix Dense(int64_t rows, int64_t cols, DataType type) {
    return {rows, cols, cols, type};
  }

  MatmulChoice scores, store, add;
};

struct Compiled {
  template <typename Choice>
  Compiled(const Choice& choice, const dnnl::engine& engine)
      : scores(choice.scores, engine), store(choice.store, engine), add(choice.add, engine) {}
  Matmul scores, store, add;
};

// oneDNN's choices for all shapes.
template <typename Io, typename Operand>
struct Choices {
  Choices(const Request& request, BlockSizes block, const dnnl::engine& engine) {
    for (const Shape& shape : ShapesOf(request.problem, block)) {
      const auto& choice = of_shape.emplace(shape, Choice<Io, Operand>(request, shape, engine));
      for (const MatmulChoice* matmul :
           {&choice.first->second.scores, &choice.first->second.store, &choice.first->second.add}) {
        names.insert(matmul->name());
        scratchpad_bytes = std::max(scratchpad_bytes, matmul->scratchpad_bytes());
      }
    }
  }
  std::map<Shape, Choice<Io, Operand>> of_shape;
  std::set<std::string> names;
  uint64_t scratchpad_bytes = 0;
};

template <typename Io, typename OperandType>
class OnednnProducts {
 public:
  using Operand = OperandType;
  static constexpr int64_t kAlign = kKeyStep;

  OnednnProducts(const Request& request, BlockSizes block, const Choices<Io, Operand>& choices,
                 const dnnl::engine& engine)
      : problem_(request.problem),
        block_(block),
        k_(GetTensor(request.tensors, ATTEST_ROLE_K), block.keys),
        v_(GetTensor(request.tensors, ATTEST_ROLE_V), block.keys),
        stream_(engine),
        scratchpad_(choices.scratchpad_bytes) {
    for (const auto& [shape, choice] : choices.of_shape)
      compiled_.emplace(shape, Compiled(choice, engine));
  }

  static uint64_t BytesOf(const Request& request, BlockSizes block,
                          const Choices<Io, Operand>& choices) {
    return Rows<Io, Operand>::BytesOf(GetTensor(request.tensors, ATTEST_ROLE_K), block.keys) +
           Rows<Io, Operand>::BytesOf(GetTensor(request.tensors, ATTEST_ROLE_V), block.keys) +
           choices.scratchpad_bytes;
  }

  void Bind(const attest_tensor& k, const attest_tensor& v) {
    k_.Bind(k);
    v_.Bind(v);
  }

  int64_t StepKeys(int64_t first, int64_t end) const {
    return StepKeysOf(problem_, block_, first, end);
  }

  void Scores(const flash::Task& task, int64_t first, int64_t keys, const Operand* q, float* s) {
#ifdef _OPENMP
    omp_set_num_threads(1);  // per thread: else each would start an OpenMP team of its own
#endif
    compiled_.at({task.count, keys})
        .scores.Run(stream_, q, k_.Get(task.b, task.kv_head, first, keys), s, scratchpad_.data());
  }

  void Accumulate(const flash::Task& task, int64_t first, int64_t keys, const Operand* p, float* o,
                  bool clear) {
    Compiled& compiled = compiled_.at({task.count, keys});
    (clear ? compiled.store : compiled.add)
        .Run(stream_, p, v_.Get(task.b, task.kv_head, first, keys), o, scratchpad_.data());
  }

 private:
  attest_problem problem_;
  BlockSizes block_;
  Rows<Io, Operand> k_, v_;
  dnnl::stream stream_;
  AlignedBuffer<char> scratchpad_;
  std::map<Shape, Compiled> compiled_;
};

// Calls make(products' type, choices) for the request.
template <typename Make>
auto WithChoices(const Request& request, BlockSizes block, const dnnl::engine& engine,
                 const Make& make) {
  const int32_t dtype = request.problem.dtype;
  return WithTypes(dtype, ProductTypeOf(dtype, engine), [&](auto io, auto operand) {
    using Io = decltype(io);
    using Operand = decltype(operand);
    return make(io, std::type_identity<OnednnProducts<Io, Operand>>{},
                Choices<Io, Operand>(request, block, engine));
  });
}

template <typename Products, typename Choices>
uint64_t BytesOf(const Request& request, BlockSizes block, const Choices& choices) {
  return flash::Scratch<typename Products::Operand>::BytesOf(request.problem, block) +
         Products::BytesOf(request, block, choices);
}

}  // namespace

std::unique_ptr<Plan> MakeFlashPlan(const Request& request, ThreadPool& pool,
                                    const dnnl::engine& engine) {
  const BlockSizes block = BlockOf(request.problem, pool.threads());
  return WithChoices(
      request, block, engine,
      [&](auto io, auto type, const auto& choices) -> std::unique_ptr<Plan> {
        using Products = typename decltype(type)::type;
        std::vector<Products> products;
        for (unsigned thread = 0; thread < pool.threads(); ++thread)
          products.emplace_back(request, block, choices, engine);
        PlanInfo info{ImplementationOf(choices.names, {}, kDataType<typename Products::Operand>,
                                       request.problem.dtype) +
                          ", blocks of " + std::to_string(block.rows) + "x" +
                          std::to_string(block.keys),
                      pool.threads() * BytesOf<Products>(request, block, choices), 0};
        return std::make_unique<flash::FlashPlan<decltype(io), Products>>(
            request, pool, block, std::move(products), std::move(info));
      });
}

uint64_t FlashBytes(const Request& request, unsigned threads, const dnnl::engine& engine) {
  const BlockSizes block = BlockOf(request.problem, threads);
  return WithChoices(request, block, engine, [&](auto, auto type, const auto& choices) {
    return threads * BytesOf<typename decltype(type)::type>(request, block, choices);
  });
}

}  // namespace attest::onednn
