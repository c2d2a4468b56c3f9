// SPDX-License-Identifier: Apache-2.0
//
// What onednn:primitives offers to backend.cpp.
#ifndef ATTEST_BACKENDS_ONEDNN_PLAN_H_
#define ATTEST_BACKENDS_ONEDNN_PLAN_H_

#include <cstdint>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>

#include "attest/backend.hpp"
#include "attest/thread_pool.hpp"

namespace attest::onednn {

// The implementation text of a plan in which every primitive is an optimized one begins so.
inline constexpr const char* kOptimized = "optimized primitives";

// The pool and the engine outlive the plan.
std::unique_ptr<Plan> MakePrimitivesPlan(const Request& request, ThreadPool& pool,
                                         const dnnl::engine& engine);
uint64_t PrimitivesBytes(const Request& request, unsigned threads, const dnnl::engine& engine);
// Why oneDNN has no primitives for these types and layouts, if so.
std::optional<std::string> WhyNoPrimitives(const Request& request, unsigned threads,
                                           const dnnl::engine& engine);

}  // namespace attest::onednn

#endif  // ATTEST_BACKENDS_ONEDNN_PLAN_H_
