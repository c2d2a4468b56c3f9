// SPDX-License-Identifier: Apache-2.0
//
// The layer of both variants: linear maps by matmul primitives with the bias inside, one for each
// shape of a tile, made for the one thread that will run it. Weights stay as nn.Linear stores them:
// oneDNN copies W^T into its own order inside a call.
// BERT-base at L = 512 in f32 (hidden 768, biases, output map), two threads of a Zen 5, of the
// FMA rate measured in the run: flash 73 to 77 %, primitives 69 to 75 %.
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "attest/layer_plan.hpp"
#include "attest/linear.hpp"
#include "implementation.h"
#include "operand.h"
#include "plans.h"
#include "primitives.h"

namespace attest::onednn {
namespace {

// What oneDNN chose for every step of a layer's maps.
struct Choices {
  Choices(const std::set<linear::Step>& steps, DataType type, const dnnl::engine& engine) {
    for (const linear::Step& step : steps) {
      const MatmulChoice& choice =
          of_step
              .emplace(step, MatmulChoice::Linear({step.rows, step.in, step.x_stride, type},
                                                  {step.columns, step.in, step.w_stride, type},
                                                  {step.rows, step.columns, step.y_stride, type},
                                                  step.has_bias, engine))
              .first->second;
      names.insert(choice.name());
      scratchpad_bytes = std::max(scratchpad_bytes, choice.scratchpad_bytes());
    }
  }
  std::map<linear::Step, MatmulChoice> of_step;
  std::set<std::string> names;
  uint64_t scratchpad_bytes = 0;
};

template <typename OperandType>
class OnednnLinear {
 public:
  using Operand = OperandType;
  static constexpr linear::TileSizes kTile{512, 384, 64};

  OnednnLinear(const Choices& choices, const dnnl::engine& engine)
      : stream_(engine), scratchpad_(static_cast<int64_t>(choices.scratchpad_bytes)) {
    for (const auto& [step, choice] : choices.of_step)
      compiled_.emplace(step, Matmul(choice, engine));
  }

  void Multiply(const linear::Step& step, const Operand* x, const Operand* w, const Operand* bias,
                Operand* y) {
#ifdef _OPENMP
    omp_set_num_threads(1);  // per thread: else each would start an OpenMP team of its own
#endif
    Matmul& matmul = compiled_.at(step);
    if (bias == nullptr)
      matmul.Run(stream_, x, w, y, scratchpad_.data());
    else
      matmul.Run(stream_, x, w, bias, y, scratchpad_.data());
  }

 private:
  dnnl::stream stream_;
  AlignedBuffer<char> scratchpad_;
  std::map<linear::Step, Matmul> compiled_;
};

// A reference kernel in the maps is told as one in the sdpa is (ImplementationOf).
class OnednnLayerPlan final : public LayerPlan {
 public:
  OnednnLayerPlan(const Request& request, const MakeSdpa& make_sdpa, Linear linear,
                  std::string linear_name, uint64_t linear_bytes)
      : LayerPlan(request, make_sdpa, std::move(linear), linear_name, linear_bytes),
        linear_name_(std::move(linear_name)) {}

  PlanInfo Info() override {
    PlanInfo info = LayerPlan::Info();
    if (!linear_name_.starts_with(kOptimized)) info.implementation = linear_name_;
    return info;
  }

 private:
  const std::string linear_name_;
};

// Calls use(the maps' type, its products' type, parts, choices) for the request.
template <typename Use>
auto WithMaps(const Request& request, unsigned threads, const dnnl::engine& engine,
              const Use& use) {
  const int32_t dtype = request.problem.dtype;
  const LayerParts parts(request.problem, request.tensors, dtype, {});
  return WithTypes(dtype, ProductTypeOf(dtype, engine), [&](auto io, auto operand) {
    using Products = OnednnLinear<decltype(operand)>;
    using Maps = linear::Linear<decltype(io), Products>;
    const Choices choices(Maps::StepsOf(parts, threads), kDataType<decltype(operand)>, engine);
    return use(std::type_identity<Maps>{}, std::type_identity<Products>{}, parts, choices);
  });
}

template <typename Maps>
uint64_t MapsBytes(const LayerParts& parts, unsigned threads, const Choices& choices) {
  return Maps::BytesOf(parts, threads) + threads * choices.scratchpad_bytes;
}

}  // namespace

std::unique_ptr<Plan> MakeLayerPlan(const Request& request, ThreadPool& pool,
                                    const dnnl::engine& engine,
                                    const LayerPlan::MakeSdpa& make_sdpa) {
  const auto make = [&](auto type, auto products_type, const LayerParts& parts,
                        const Choices& choices) -> std::unique_ptr<Plan> {
    using Maps = typename decltype(type)::type;
    std::vector<typename decltype(products_type)::type> products;
    for (unsigned thread = 0; thread < pool.threads(); ++thread)
      products.emplace_back(choices, engine);
    const auto maps = std::make_shared<Maps>(parts, pool, std::move(products));
    return std::make_unique<OnednnLayerPlan>(
        request, make_sdpa, [maps](std::span<const LinearMap> some) { maps->Run(some); },
        ImplementationOf(choices.names, {}, kDataType<typename Maps::Operand>,
                         request.problem.dtype),
        MapsBytes<Maps>(parts, pool.threads(), choices));
  };
  return WithMaps(request, pool.threads(), engine, make);
}

uint64_t LayerBytes(const Request& request, unsigned threads, const dnnl::engine& engine) {
  return LayerPlan::BytesOf(request.problem) +
         WithMaps(request, threads, engine,
                  [&](auto type, auto, const LayerParts& parts, const Choices& choices) {
                    return MapsBytes<typename decltype(type)::type>(parts, threads, choices);
                  });
}

}  // namespace attest::onednn
