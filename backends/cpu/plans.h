// SPDX-License-Identifier: Apache-2.0
#ifndef ATTEST_BACKENDS_CPU_PLANS_H_
#define ATTEST_BACKENDS_CPU_PLANS_H_

#include <cstdint>
#include <memory>

#include "attest/backend.hpp"
#include "attest/layer_plan.hpp"
#include "attest/thread_pool.hpp"

namespace attest::cpu {

// Bytes that the plan will hold, and the plan, of each variant.
uint64_t DecodeBytes(const Request& request, unsigned threads);
std::unique_ptr<Plan> MakeDecodePlan(const Request& request, ThreadPool& pool);
uint64_t FlashBytes(const Request& request, unsigned threads);
std::unique_ptr<Plan> MakeFlashPlan(const Request& request, ThreadPool& pool);

// The same of a layer: bytes without its sdpa, the plan around the sdpa that make_sdpa makes.
uint64_t LayerBytes(const Request& request, unsigned threads);
std::unique_ptr<Plan> MakeLayerPlan(const Request& request, ThreadPool& pool,
                                    const LayerPlan::MakeSdpa& make_sdpa);

}  // namespace attest::cpu

#endif  // ATTEST_BACKENDS_CPU_PLANS_H_
