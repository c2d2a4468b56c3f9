// SPDX-License-Identifier: Apache-2.0
//
// The layer of both variants: linear maps by linear.h, in f32; f16 and bf16 are converted a tile at
// a time.
#include <memory>
#include <type_traits>
#include <vector>

#include "attest/half.hpp"
#include "attest/layer_plan.hpp"
#include "linear.h"
#include "plans.h"

namespace attest::cpu {
namespace {

// Calls use(the maps' type, parts) for the request.
template <typename Use>
auto WithMaps(const Request& request, const Use& use) {
  const int32_t dtype = request.problem.dtype;
  const LayerParts parts(request.problem, request.tensors, dtype, {});
  const auto as = [&](auto io) {
    return use(std::type_identity<linear::Linear<decltype(io), LinearProduct>>{}, parts);
  };
  if (dtype == ATTEST_F16) return as(Half{});
  return dtype == ATTEST_BF16 ? as(Bfloat16{}) : as(float{});
}

template <typename Maps>
uint64_t MapsBytes(const LayerParts& parts, unsigned threads) {
  return Maps::BytesOf(parts, threads) + threads * LinearProduct::Bytes();
}

}  // namespace

std::unique_ptr<Plan> MakeLayerPlan(const Request& request, ThreadPool& pool,
                                    const LayerPlan::MakeSdpa& make_sdpa) {
  return WithMaps(request, [&](auto type, const LayerParts& parts) {
    using Maps = typename decltype(type)::type;
    std::vector<LinearProduct> products(pool.threads());
    const auto maps = std::make_shared<Maps>(parts, pool, std::move(products));
    return std::make_unique<LayerPlan>(
        request, make_sdpa, [maps](const LinearMap& map) { maps->Run(map); },
        "linear maps by register tiles", MapsBytes<Maps>(parts, pool.threads()));
  });
}

uint64_t LayerBytes(const Request& request, unsigned threads) {
  return LayerPlan::BytesOf(request.problem) +
         WithMaps(request, [&](auto type, const LayerParts& parts) {
           return MapsBytes<typename decltype(type)::type>(parts, threads);
         });
}

}  // namespace attest::cpu
