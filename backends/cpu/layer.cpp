// SPDX-License-Identifier: Apache-2.0
//
// The layer of both variants: linear maps by linear.h, of bf16 as it is where dot products pay,
// else in f32, to which f16 and bf16 are converted a tile at a time.
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
  const auto as = [&](auto io, auto operand) {
    using Maps = linear::Linear<decltype(io), LinearProduct<decltype(operand)>>;
    return use(std::type_identity<Maps>{}, parts);
  };
  if (ProductsOf(dtype) != BfloatProducts::kMultiplyAdds) return as(Bfloat16{}, Bfloat16{});
  if (dtype == ATTEST_BF16) return as(Bfloat16{}, float{});
  return dtype == ATTEST_F16 ? as(Half{}, float{}) : as(float{}, float{});
}

template <typename Maps>
using ProductOf = LinearProduct<typename Maps::Operand>;

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
