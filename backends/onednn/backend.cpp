// SPDX-License-Identifier: Apache-2.0
//
// The oneDNN backend: sdpa from oneDNN's matmul and softmax primitives, oneDNN 2.6 or 3.x, on the
// CPU. f32; bf16 and f16 where the library has them for this CPU. Causal masks of any offset,
// windows, key lengths and grouped heads; no boolean or additive mask, no softcap, no LSE.
#include <cstdint>
#include <memory>
#include <string>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "attest/backend.hpp"
#include "attest/thread_pool.hpp"
#include "plan.h"
#include "primitives.h"

namespace {

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
    return {{"primitives", "matmul, softmax, matmul per block of query rows, O(L) memory",
             attest::onednn::kOptimized}};
  }

  attest::Contract ContractOf(uint32_t, int32_t dtype) override {
    if (dtype != ATTEST_F32 && dtype != ATTEST_F16 && dtype != ATTEST_BF16)
      throw attest::Unsupported("the onednn backend knows the io types f32, f16 and bf16");
    attest::Contract contract;
    contract.accumulate = ATTEST_FORMAT_F32;
    if (dtype == ATTEST_F16) contract.probabilities = ATTEST_FORMAT_F16;
    if (dtype == ATTEST_BF16) contract.probabilities = ATTEST_FORMAT_BF16;
    return contract;
  }

  std::optional<std::string> WhyUnsupported(const attest::Request& request) override {
    const attest_problem& problem = request.problem;
    if (problem.op != ATTEST_OP_SDPA) return "the onednn backend computes sdpa only";
    if (problem.dtype == ATTEST_F64) return "oneDNN has no f64 matmul on CPUs";
    if (problem.attn_mask != ATTEST_MASK_NONE) return "no boolean or additive mask";
    if (problem.softcap != 0) return "no softcap";
    if (problem.outputs != 0) return "no LSE and no attention weights";
    return attest::onednn::WhyNoPrimitives(request, pool_->threads(), engine_);
  }

  attest::Workspace WorkspaceOf(const attest::Request& request) override {
    return {attest::onednn::PrimitivesBytes(request, pool_->threads(), engine_), 0};
  }

  std::unique_ptr<attest::Plan> Create(const attest::Request& request) override {
    return attest::onednn::MakePrimitivesPlan(request, *pool_, engine_);
  }

 private:
  dnnl::engine engine_;
  std::unique_ptr<attest::ThreadPool> pool_;
};

}  // namespace

ATTEST_BACKEND(OnednnBackend)
