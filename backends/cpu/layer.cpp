// SPDX-License-Identifier: Apache-2.0
//
// The layer of both variants: linear maps by linear.h, of bf16 as it is where dot products or AMX
// pay, else in f32, to which f16 and bf16 are converted a tile at a time.
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "attest/half.hpp"
#include "attest/layer_plan.hpp"
#include "bfloat_products.h"
#include "linear.h"
#include "plans.h"

namespace attest::cpu {
namespace {

// Calls use(the maps' type, parts) for the request.
template <typename Use>
auto WithMaps(const Request& request, const Use& use) {
  const int32_t dtype = request.problem.dtype;
  const LayerParts parts(request.problem, request.tensors, dtype, {});
  const auto by = [&](auto io, auto product) {
    using Maps = linear::Linear<decltype(io), typename decltype(product)::type>;
    return use(std::type_identity<Maps>{}, parts);
  };
  using Floats = std::type_identity<LinearProduct<float, BfloatProducts::kMultiplyAdds>>;
  using Dots = std::type_identity<LinearProduct<Bfloat16, BfloatProducts::kDots>>;
  using Tiles = std::type_identity<LinearProduct<Bfloat16, BfloatProducts::kTiles>>;
  if (ProductsOf(dtype) == BfloatProducts::kTiles) return by(Bfloat16{}, Tiles{});
  if (ProductsOf(dtype) == BfloatProducts::kDots) return by(Bfloat16{}, Dots{});
  if (dtype == ATTEST_BF16) return by(Bfloat16{}, Floats{});
  return dtype == ATTEST_F16 ? by(Half{}, Floats{}) : by(float{}, Floats{});
}

template <typename Maps>
using ProductOf = typename Maps::Product;

template <typename Maps>
uint64_t MapsBytes(const LayerParts& parts, unsigned threads) {
  return Maps::BytesOf(parts, threads) + threads * ProductOf<Maps>::Bytes();
}

}  // namespace

std::unique_ptr<Plan> MakeLayerPlan(const Request& request, ThreadPool& pool,
                                    const LayerPlan::MakeSdpa& make_sdpa) {
  const auto make = [&](auto type, const LayerParts& parts) {
    using Maps = typename decltype(type)::type;
    std::vector<ProductOf<Maps>> products(pool.threads());
    const auto maps = std::make_shared<Maps>(parts, pool, std::move(products));
    return std::make_unique<LayerPlan>(
        request, make_sdpa, [maps](std::span<const LinearMap> some) { maps->Run(some); },
        std::string("linear maps by register tiles") + ProductOf<Maps>::kName,
        MapsBytes<Maps>(parts, pool.threads()));
  };
  return WithMaps(request, make);
}

uint64_t LayerBytes(const Request& request, unsigned threads) {
  const auto bytes = [&](auto type, const LayerParts& parts) {
    return MapsBytes<typename decltype(type)::type>(parts, threads);
  };
  return LayerPlan::BytesOf(request.problem) + WithMaps(request, bytes);
}

}  // namespace attest::cpu
