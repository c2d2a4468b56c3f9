// SPDX-License-Identifier: Apache-2.0
//
// onednn:flash. The products of attest/flash.hpp by matmul primitives, one set for each shape of a
// step: S = Q K^T, O = P V, O += P V; primitives are made where no OpenMP team can be, for the one
// thread that will run each. bf16 and f16 are multiplied as they are where oneDNN can, with P
// rounded to that type once; else they are converted to f32 block by block.
#include "attest/flash.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <type_traits>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "implementation.h"
#include "key_panels.h"
#include "operand.h"
#include "plans.h"
#include "primitives.h"
#include "steps.h"

namespace attest::onednn {
namespace {

using flash::BlockSizes;

// The 16-bit products copy K themselves, into pairs or fours of keys.
template <typename Operand>
constexpr bool kTransposes = std::is_same_v<Operand, float>;

Matrix Dense(int64_t rows, int64_t cols, DataType type) { return {rows, cols, cols, type}; }

// What oneDNN chose for a block of that shape.
template <typename Io, typename Operand>
struct Choice {
  Choice(const Request& request, PanelLayout panels, BlockShape shape, int64_t columns,
         const dnnl::engine& engine)
      : scores(Scores(request, panels, shape, engine)),
        store(Out(request, shape, columns, MatmulChoice::kStore, engine)),
        add(Out(request, shape, columns, MatmulChoice::kAdd, engine)) {}

  static MatmulChoice Scores(const Request& request, PanelLayout panels, BlockShape shape,
                             const dnnl::engine& engine) {
    const int64_t size = request.problem.head_size;
    const Matrix q = Dense(shape.rows, size, kDataType<Operand>);
    const Matrix s = Dense(shape.rows, shape.keys, DataType::f32);
    if constexpr (kTransposes<Operand>) {
      const Matrix k{size, shape.keys, panels.stride, DataType::f32};
      if (panels.in_panels()) return MatmulChoice::ByPanels(q, k, s, engine);
      return {q, k, s, MatmulChoice::kStore, engine};
    }
    const attest_tensor& k = GetTensor(request.tensors, ATTEST_ROLE_K);
    return MatmulChoice::Transposed(q, Rows<Io, Operand>::MatrixOf(k, shape.keys), s, 1, engine);
  }

  static MatmulChoice Out(const Request& request, BlockShape shape, int64_t columns,
                          MatmulChoice::Mode mode, const dnnl::engine& engine) {
    const attest_tensor& v = GetTensor(request.tensors, ATTEST_ROLE_V);
    return {Dense(shape.rows, shape.keys, kDataType<Operand>),
            Rows<Io, Operand>::MatrixOf(v, shape.keys, columns),
            Dense(shape.rows, columns, DataType::f32), mode, engine};
  }

  MatmulChoice scores, store, add;
};

// The choices for all shapes.
template <typename Io, typename Operand>
struct Choices {
  Choices(const Request& request, BlockSizes block, const dnnl::engine& engine)
      : shapes(request.problem, block), panels(PanelsOrOneMatrix(request, shapes, block, engine)) {
    for (const BlockShape& shape : shapes.blocks) {
      const Choice<Io, Operand>& choice =
          of_shape.emplace_back(request, panels, shape, block.out_columns, engine);
      for (const MatmulChoice* matmul : {&choice.scores, &choice.store, &choice.add}) {
        names.insert(matmul->name());
        scratchpad_bytes = std::max(scratchpad_bytes, matmul->scratchpad_bytes());
      }
    }
  }

  // Panels where oneDNN has an optimized kernel for them in every shape.
  static PanelLayout PanelsOrOneMatrix(const Request& request, const StepShapes& shapes,
                                       BlockSizes block, const dnnl::engine& engine) {
    const int64_t size = request.problem.head_size;
    const PanelLayout panels = PanelLayout::Panels(size);
    const PanelLayout one_matrix = PanelLayout::OneMatrix(size, block.keys);
    if constexpr (!kTransposes<Operand>) return one_matrix;
    const auto has_kernel = [&](BlockShape shape) {
      try {
        return !Choice<Io, Operand>::Scores(request, panels, shape, engine).is_reference();
      } catch (const dnnl::error&) {
        return false;
      }
    };
    const bool all = std::all_of(shapes.blocks.begin(), shapes.blocks.end(), has_kernel);
    return all ? panels : one_matrix;
  }

  StepShapes shapes;
  PanelLayout panels;
  std::vector<Choice<Io, Operand>> of_shape;
  std::set<std::string> names;
  uint64_t scratchpad_bytes = 0;
};

template <typename Io, typename OperandType>
class OnednnProducts {
 public:
  using Operand = OperandType;
  static constexpr int64_t kAlign = kKeyAlign;
  static_assert(kKeyAlign % kPanelCols == 0);  // a part begins at a panel

  OnednnProducts(const Request& request, BlockSizes block, const Choices<Io, Operand>& choices,
                 const dnnl::engine& engine)
      : problem_(request.problem),
        block_(block),
        k_(GetTensor(request.tensors, ATTEST_ROLE_K), block.keys),
        v_(GetTensor(request.tensors, ATTEST_ROLE_V), block.keys, block.out_columns),
        stream_(engine),
        panels_(choices.panels, problem_.head_size, kTransposes<Operand> ? block.keys : 0),
        scratchpad_(choices.scratchpad_bytes) {
    for (size_t index = 0; index < choices.of_shape.size(); ++index)
      compiled_.emplace(choices.shapes.blocks[index],
                        Compiled{{choices.of_shape[index].scores, engine},
                                 {choices.of_shape[index].store, engine},
                                 {choices.of_shape[index].add, engine}});
  }

  static uint64_t BytesOf(const Request& request, BlockSizes block,
                          const Choices<Io, Operand>& choices) {
    return Rows<Io, Operand>::BytesOf(GetTensor(request.tensors, ATTEST_ROLE_K), block.keys) +
           Rows<Io, Operand>::BytesOf(GetTensor(request.tensors, ATTEST_ROLE_V), block.keys,
                                      block.out_columns) +
           (kTransposes<Operand> ? sizeof(float) * choices.panels.Elements(block.keys) : 0) +
           choices.scratchpad_bytes;
  }

  void Bind(const attest_tensor& k, const attest_tensor& v) {
    k_.Bind(k);
    v_.Bind(v);
  }

  int64_t StepKeys(int64_t first, int64_t end) const {
    return StepKeysOf(problem_, block_, first, end);
  }

  void Prepare(int64_t b, int64_t kv_head, int64_t first, int64_t keys) {
#ifdef _OPENMP
    omp_set_num_threads(1);  // per thread: else each would start an OpenMP team of its own
#endif
    step_k_ = k_.Get(b, kv_head, first, keys);
    step_v_ = v_.Get(b, kv_head, first, keys);
    if constexpr (kTransposes<Operand>) step_k_ = panels_.Take(step_k_, k_.stride(), keys);
  }

  void Scores(int64_t rows, KeySpan keys, const Operand* q, float* s) {
    const int64_t first =
        kTransposes<Operand> ? panels_.OffsetOf(keys.begin) : keys.begin * k_.stride();
    CompiledFor(rows, keys).scores.Run(stream_, q, step_k_ + first, s, scratchpad_.data());
  }

  void Accumulate(int64_t rows, KeySpan keys, const Operand* p, float* o, bool clear) {
    Compiled& compiled = CompiledFor(rows, keys);
    (clear ? compiled.store : compiled.add)
        .Run(stream_, p, step_v_ + keys.begin * v_.stride(), o, scratchpad_.data());
  }

 private:
  struct Compiled {
    Matmul scores, store, add;
  };

  Compiled& CompiledFor(int64_t rows, KeySpan keys) {
    return compiled_.at({rows, keys.end - keys.begin});
  }

  attest_problem problem_;
  BlockSizes block_;
  Rows<Io, Operand> k_, v_;
  dnnl::stream stream_;
  KeyPanels panels_;
  AlignedBuffer<char> scratchpad_;
  const Operand* step_k_ = nullptr;
  const Operand* step_v_ = nullptr;
  std::map<BlockShape, Compiled> compiled_;
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
  return flash::Scratch<typename Products::Operand>::BytesOf(request, block) +
         Products::BytesOf(request, block, choices);
}

}  // namespace

std::unique_ptr<Plan> MakeFlashPlan(const Request& request, ThreadPool& pool,
                                    const dnnl::engine& engine) {
  const BlockSizes block = FlashBlock(request.problem, pool.threads());
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
  const BlockSizes block = FlashBlock(request.problem, threads);
  return WithChoices(request, block, engine, [&](auto, auto type, const auto& choices) {
    return threads * BytesOf<typename decltype(type)::type>(request, block, choices);
  });
}

}  // namespace attest::onednn
