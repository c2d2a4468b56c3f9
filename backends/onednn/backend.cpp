// SPDX-License-Identifier: Apache-2.0
//
// The oneDNN backend: sdpa and the layer from oneDNN's matmul and softmax primitives, oneDNN 2.6
// or 3.x, on the CPU. f32; bf16 and f16 as they are where the library multiplies them on this CPU,
// else converted to f32 block by block. Everything of abi.h but f64, and attention weights only
// from `primitives`. `graph` is oneDNN's own attention, sdpa only, by a oneDNN 3.x that is looked
// for at run time (graph_library.h): unsupported, with what to do, where there is none.
#include <cstdint>
#include <memory>
#include <string>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "attest/backend.hpp"
#include "attest/softmax_row.hpp"
#include "attest/thread_pool.hpp"
#include "graph_plan.h"
#include "implementation.h"
#include "plans.h"
#include "primitives.h"

namespace {

enum : uint32_t { kFlash = 0, kGraph = 1, kPrimitives = 2 };

class OnednnBackend : public attest::Backend {
 public:
  static constexpr const char* kName = "onednn";

  void Configure(const attest_settings& settings) override {
#ifdef _OPENMP
    omp_set_num_threads(1);  // primitives are made for the one thread that will run each
#endif
    engine_ = dnnl::engine(dnnl::engine::kind::cpu, 0);
    pool_ = std::make_unique<attest::ThreadPool>(settings.threads);
  }

  attest::BackendInfo Info() override {
    return {"oneDNN", attest::onednn::LibraryVersion(), attest::onednn::LibraryRuntime()};
  }

  std::vector<attest::Variant> Variants() override {
    return {
        {"flash", "matmuls of query blocks x key blocks with online softmax, O(L) memory",
         attest::onednn::kOptimized},
        {"graph",
         "one graph for oneDNN 3.x's Graph API, where one is found (scripts/peers onednn), O(L^2)",
         ""},
        {"primitives", "matmul, softmax, matmul per block of query rows, O(L) memory",
         attest::onednn::kOptimized}};
  }

  attest::Contract ContractOf(uint32_t variant, int32_t dtype) override {
    using attest::onednn::DataType;
    attest::Contract contract;
    contract.accumulate = ATTEST_FORMAT_F32;
    // P is rounded to what the second product takes.
    const DataType product = variant == kGraph ? attest::onednn::TypeOf(dtype)
                                               : attest::onednn::ProductTypeOf(dtype, engine_);
    if (product == DataType::f16) contract.probabilities = ATTEST_FORMAT_F16;
    if (product == DataType::bf16) contract.probabilities = ATTEST_FORMAT_BF16;
    if (dtype == ATTEST_F16) contract.projections = ATTEST_FORMAT_F16;
    if (dtype == ATTEST_BF16) contract.projections = ATTEST_FORMAT_BF16;
    if (variant == kFlash)
      contract.exp_relative_error = attest::kExp2RelativeError;
    else  // exp in oneDNN's softmax is 0 where 2^(n-1) has no exponent bits: below 2^-125.5
      contract.flags |= ATTEST_CONTRACT_FLUSHES_SUBNORMALS;
    return contract;
  }

  std::optional<std::string> WhyUnsupported(const attest::Request& request) override {
    const attest_problem& problem = request.problem;
    if (problem.op != ATTEST_OP_SDPA && problem.op != ATTEST_OP_SELF_ATTENTION)
      return "the onednn backend computes sdpa and self_attention only";
    if (problem.dtype == ATTEST_F64) return "oneDNN has no f64 matmul on CPUs";
    if (request.variant == kGraph) return WhyNotByGraph(request);
    if (request.variant == kFlash && (problem.outputs & ATTEST_OUTPUT_WEIGHTS))
      return "flash never holds the attention weights; onednn:primitives gives them";
    try {
      BytesOf(request);
    } catch (const dnnl::error& error) {
      return "oneDNN " + attest::onednn::LibraryVersion() +
             " has no primitives for this request here: " + error.message;
    }
    return std::nullopt;
  }

  attest::Workspace WorkspaceOf(const attest::Request& request) override {
    return {BytesOf(request), 0};
  }

  std::unique_ptr<attest::Plan> Create(const attest::Request& request) override {
    if (request.problem.op == ATTEST_OP_SDPA) return MakeSdpa(request);
    return attest::onednn::MakeLayerPlan(
        request, *pool_, engine_, [this](const attest::Request& sdpa) { return MakeSdpa(sdpa); });
  }

 private:
  uint64_t BytesOf(const attest::Request& request) const {
    if (request.problem.op == ATTEST_OP_SDPA) return SdpaBytes(request);
    const uint64_t inside = attest::LayerPlan::WithInside(
        request, [this](const attest::Request& sdpa) { return SdpaBytes(sdpa); });
    return inside + attest::onednn::LayerBytes(request, pool_->threads(), engine_);
  }

  std::optional<std::string> WhyNotByGraph(const attest::Request& request) {
    if (auto reason = attest::onednn::graph::WhyNotInGraph(request.problem)) return reason;
    try {
      SdpaBytes(request);
    } catch (const std::runtime_error& error) {  // Unsupported, or the library's own words
      return error.what();
    }
    return std::nullopt;
  }

  // Looked for when first used, once: the other variants do without it.
  const attest::onednn::graph::Library& GraphLibrary() const {
    if (graph_library_ == nullptr && why_no_graph_library_.empty()) try {
        graph_library_ = std::make_unique<attest::onednn::graph::Library>(pool_->threads());
      } catch (const std::runtime_error& error) {
        why_no_graph_library_ = error.what();
      }
    if (graph_library_ == nullptr) throw attest::Unsupported(why_no_graph_library_);
    return *graph_library_;
  }

  uint64_t SdpaBytes(const attest::Request& request) const {
    if (request.variant == kGraph) return attest::onednn::graph::PlanBytes(GraphLibrary(), request);
    return request.variant == kFlash
               ? attest::onednn::FlashBytes(request, pool_->threads(), engine_)
               : attest::onednn::PrimitivesBytes(request, pool_->threads(), engine_);
  }

  std::unique_ptr<attest::Plan> MakeSdpa(const attest::Request& request) const {
    if (request.variant == kGraph) return attest::onednn::graph::MakePlan(GraphLibrary(), request);
    return request.variant == kFlash ? attest::onednn::MakeFlashPlan(request, *pool_, engine_)
                                     : attest::onednn::MakePrimitivesPlan(request, *pool_, engine_);
  }

  dnnl::engine engine_;
  std::unique_ptr<attest::ThreadPool> pool_;
  mutable std::unique_ptr<attest::onednn::graph::Library> graph_library_;
  mutable std::string why_no_graph_library_;
};

}  // namespace

ATTEST_BACKEND(OnednnBackend)
