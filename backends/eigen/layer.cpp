// SPDX-License-Identifier: Apache-2.0
//
// The layer of both variants: linear maps by Eigen's products, the bias as what the product is
// added to. A map is cut into tiles of at most 512 x 384, so that what Eigen packs of one stays
// below the limit of gemm.cpp.
// BERT-base at L = 512 in f32 (hidden 768, biases, output map), two threads of a Zen 5, of the
// FMA rate measured in the run: flash 67 to 72 %.
#include <algorithm>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "attest/layer_plan.hpp"
#include "attest/linear.hpp"
#include "gemm.h"
#include "plans.h"

namespace attest::eigen {
namespace {

struct EigenLinear {
  using Operand = float;
  // Units of 48 columns: Eigen's kernel takes so many at once with AVX-512, and 24 with AVX2.
  static constexpr linear::TileSizes kTile{512, 384, 48};

  void Multiply(const linear::Step& step, const float* x, const float* w, const float* bias,
                float* y) const {
    const ConstMatrixView rows{x, step.rows, step.in, step.x_stride};
    const ConstMatrixView weights{w, step.columns, step.in, step.w_stride};
    const MatrixView out{y, step.rows, step.columns, step.y_stride};
    if (bias == nullptr) return MultiplyTransposed(rows, weights, out);
    for (int64_t row = 0; row < step.rows; ++row)
      std::copy_n(bias, step.columns, y + row * step.y_stride);
    MultiplyTransposedAdd(rows, weights, out);
  }
};

// Calls use(the maps' type, parts) for the request.
template <typename Use>
auto WithMaps(const Request& request, const Use& use) {
  const LayerParts parts(request.problem, request.tensors, request.problem.dtype, {});
  return WithIoType(request.problem.dtype, [&](auto io) {
    return use(std::type_identity<linear::Linear<decltype(io), EigenLinear>>{}, parts);
  });
}

}  // namespace

std::unique_ptr<Plan> MakeLayerPlan(const Request& request, ThreadPool& pool,
                                    const LayerPlan::MakeSdpa& make_sdpa) {
  return WithMaps(request, [&](auto type, const LayerParts& parts) {
    using Maps = typename decltype(type)::type;
    const auto maps = std::make_shared<Maps>(parts, pool, std::vector<EigenLinear>(pool.threads()));
    return std::make_unique<LayerPlan>(
        request, make_sdpa, [maps](std::span<const LinearMap> some) { maps->Run(some); },
        "linear maps by Eigen's products", Maps::BytesOf(parts, pool.threads()));
  });
}

uint64_t LayerBytes(const Request& request, unsigned threads) {
  return LayerPlan::BytesOf(request.problem) +
         WithMaps(request, [&](auto type, const LayerParts& parts) {
           return decltype(type)::type::BytesOf(parts, threads);
         });
}

}  // namespace attest::eigen
