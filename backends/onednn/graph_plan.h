// SPDX-License-Identifier: Apache-2.0
//
// onednn:graph for backend.cpp.
#ifndef ATTEST_BACKENDS_ONEDNN_GRAPH_PLAN_H_
#define ATTEST_BACKENDS_ONEDNN_GRAPH_PLAN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "attest/backend.hpp"
#include "graph_library.h"

namespace attest::onednn::graph {

// Why no plan can be made, without the library: what the graph has no place for.
std::optional<std::string> WhyNotInGraph(const attest_problem& problem);

// Throw Unsupported with the reason where the library does not take the graph, or computes a
// product of it by a reference kernel.
uint64_t PlanBytes(const Library& library, const Request& request);
std::unique_ptr<Plan> MakePlan(const Library& library,
                               const Request& request);  // library outlives it

}  // namespace attest::onednn::graph

#endif  // ATTEST_BACKENDS_ONEDNN_GRAPH_PLAN_H_
