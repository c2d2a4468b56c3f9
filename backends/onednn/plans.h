// SPDX-License-Identifier: Apache-2.0
//
// What the two variants and the layer around them offer to backend.cpp.
#ifndef ATTEST_BACKENDS_ONEDNN_PLANS_H_
#define ATTEST_BACKENDS_ONEDNN_PLANS_H_

#include <cstdint>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>

#include "attest/backend.hpp"
#include "attest/layer_plan.hpp"
#include "attest/thread_pool.hpp"

namespace attest::onednn {

// Plans of io type f32, f16 or bf16. The pool and the engine outlive them.
std::unique_ptr<Plan> MakeFlashPlan(const Request& request, ThreadPool& pool,
                                    const dnnl::engine& engine);
std::unique_ptr<Plan> MakePrimitivesPlan(const Request& request, ThreadPool& pool,
                                         const dnnl::engine& engine);

// The layer around the sdpa that make_sdpa makes.
std::unique_ptr<Plan> MakeLayerPlan(const Request& request, ThreadPool& pool,
                                    const dnnl::engine& engine,
                                    const LayerPlan::MakeSdpa& make_sdpa);

// Bytes those plans allocate; of a layer without its sdpa. Throw dnnl::error where oneDNN has no
// primitive for the request.
uint64_t FlashBytes(const Request& request, unsigned threads, const dnnl::engine& engine);
uint64_t PrimitivesBytes(const Request& request, unsigned threads, const dnnl::engine& engine);
uint64_t LayerBytes(const Request& request, unsigned threads, const dnnl::engine& engine);

}  // namespace attest::onednn

#endif  // ATTEST_BACKENDS_ONEDNN_PLANS_H_
