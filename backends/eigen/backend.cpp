// SPDX-License-Identifier: Apache-2.0
//
// The Eigen backend: sdpa and the layer from Eigen's matrix products, f32 arithmetic on f32, f16
// and bf16 tensors (Eigen has no 16-bit product, so those are converted block by block and gain no
// speed). Everything of abi.h but f64, and attention weights only from `unfused`.
#include <cstdint>
#include <memory>
#include <string>

#include "attest/backend.hpp"
#include "attest/softmax_row.hpp"
#include "attest/thread_pool.hpp"
#include "gemm.h"
#include "plans.h"

namespace {

enum : uint32_t { kFlash = 0, kUnfused = 1 };

class EigenBackend : public attest::Backend {
 public:
  static constexpr const char* kName = "eigen";

  void Configure(const attest_settings& settings) override {
    pool_ = std::make_unique<attest::ThreadPool>(settings.threads);
  }

  attest::BackendInfo Info() override {
    return {"Eigen", attest::eigen::EigenVersion(), "std::thread"};
  }

  std::vector<attest::Variant> Variants() override {
    return {{"flash", "query blocks x key blocks with online softmax, O(L) memory", "flash"},
            {"unfused", "S = Q K^T, softmax, P V over whole matrices, O(L^2) memory", "unfused"}};
  }

  attest::Contract ContractOf(uint32_t, int32_t dtype) override {
    attest::eigen::WithIoType(dtype, [](auto) { return 0; });  // throws for others
    attest::Contract contract;
    contract.accumulate = ATTEST_FORMAT_F32;
    contract.exp_relative_error = attest::kExp2RelativeError;
    if (dtype == ATTEST_F16) contract.projections = ATTEST_FORMAT_F16;
    if (dtype == ATTEST_BF16) contract.projections = ATTEST_FORMAT_BF16;
    return contract;
  }

  std::optional<std::string> WhyUnsupported(const attest::Request& request) override {
    const attest_problem& problem = request.problem;
    if (problem.op != ATTEST_OP_SDPA && problem.op != ATTEST_OP_SELF_ATTENTION)
      return "the eigen backend computes sdpa and self_attention only";
    if (problem.dtype == ATTEST_F64) return "the eigen backend has no f64";
    if (request.variant == kFlash && (problem.outputs & ATTEST_OUTPUT_WEIGHTS))
      return "flash never holds the attention weights; eigen:unfused gives them";
    return std::nullopt;
  }

  attest::Workspace WorkspaceOf(const attest::Request& request) override {
    if (request.problem.op == ATTEST_OP_SDPA) return {SdpaBytes(request), 0};
    const uint64_t inside = attest::LayerPlan::WithInside(
        request, [this](const attest::Request& sdpa) { return SdpaBytes(sdpa); });
    return {inside + attest::eigen::LayerBytes(request, pool_->threads()), 0};
  }

  std::unique_ptr<attest::Plan> Create(const attest::Request& request) override {
    if (request.problem.op == ATTEST_OP_SDPA) return MakeSdpa(request);
    return attest::eigen::MakeLayerPlan(
        request, *pool_, [this](const attest::Request& sdpa) { return MakeSdpa(sdpa); });
  }

 private:
  uint64_t SdpaBytes(const attest::Request& request) const {
    return request.variant == kFlash ? attest::eigen::FlashBytes(request, pool_->threads())
                                     : attest::eigen::UnfusedBytes(request, pool_->threads());
  }

  std::unique_ptr<attest::Plan> MakeSdpa(const attest::Request& request) const {
    return request.variant == kFlash ? attest::eigen::MakeFlashPlan(request, *pool_)
                                     : attest::eigen::MakeUnfusedPlan(request, *pool_);
  }

  std::unique_ptr<attest::ThreadPool> pool_;
};

}  // namespace

ATTEST_BACKEND(EigenBackend)
