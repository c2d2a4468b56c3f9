// SPDX-License-Identifier: Apache-2.0
//
// The cpu backend: own kernels for sdpa and the layer on Highway's vectors, with every mask,
// window, length, softcap, layout and grouping of abi.h, in f32; f16 and bf16 tensors are converted
// a panel at a time and computed in f32, but flash and the linear maps of the layer multiply bf16
// by AMX tiles or dot products where those are faster (bfloat_products.h): both take subnormal
// numbers as 0. No attention weights: no variant holds the matrix of scores.
#include <memory>
#include <string>

#include "attest/backend.hpp"
#include "attest/thread_pool.hpp"
#include "bfloat_products.h"
#include "plans.h"
#include "simd.h"

namespace {

enum : uint32_t { kDecode = 0, kFlash = 1 };

class CpuBackend : public attest::Backend {
 public:
  static constexpr const char* kName = "cpu";

  void Configure(const attest_settings& settings) override {
    pool_ = std::make_unique<attest::ThreadPool>(settings.threads);
  }

  attest::BackendInfo Info() override {
    return {std::string("own kernels on Highway, ") + hwy::TargetName(HWY_TARGET),
            std::to_string(HWY_MAJOR) + "." + std::to_string(HWY_MINOR) + "." +
                std::to_string(HWY_PATCH),
            "std::thread"};
  }

  std::vector<attest::Variant> Variants() override {
    return {
        {"decode", "few queries: keys split over threads, K and V read once, merged by LSE, O(1)",
         "decode"},
        {"flash", "blocks of queries x panels of keys, scores in registers, O(1) memory in L",
         "flash"}};
  }

  attest::Contract ContractOf(uint32_t variant, int32_t dtype) override {
    if (dtype != ATTEST_F32 && dtype != ATTEST_F16 && dtype != ATTEST_BF16)
      throw attest::Unsupported(kTypes);
    attest::Contract contract;
    contract.accumulate = ATTEST_FORMAT_F32;
    contract.exp_relative_error = attest::cpu::kExp2RelativeError;
    if (dtype == ATTEST_F16) contract.projections = ATTEST_FORMAT_F16;
    if (dtype == ATTEST_BF16) contract.projections = ATTEST_FORMAT_BF16;
    if (attest::cpu::ProductsOf(dtype) == attest::cpu::BfloatProducts::kMultiplyAdds)
      return contract;
    contract.flags |= ATTEST_CONTRACT_FLUSHES_SUBNORMALS;  // decode: in the layer's linear maps
    if (variant == kFlash) {
      contract.probabilities = ATTEST_FORMAT_BF16;
      contract.exp_relative_error = attest::cpu::kCoarseExp2RelativeError;
    }
    return contract;
  }

  std::optional<std::string> WhyUnsupported(const attest::Request& request) override {
    const attest_problem& problem = request.problem;
    if (problem.op != ATTEST_OP_SDPA && problem.op != ATTEST_OP_SELF_ATTENTION)
      return "the cpu backend computes sdpa and self_attention only";
    if (problem.dtype == ATTEST_F64) return kTypes;
    if (problem.dtype == ATTEST_BF16)
      if (auto why_not = attest::cpu::WhyNoBfloat()) return why_not;
    if (problem.outputs & ATTEST_OUTPUT_WEIGHTS)
      return "no variant of cpu holds the attention weights; eigen:unfused gives them";
    return std::nullopt;
  }

  attest::Workspace WorkspaceOf(const attest::Request& request) override {
    if (request.problem.op == ATTEST_OP_SDPA) return {SdpaBytes(request), 0};
    const uint64_t inside = attest::LayerPlan::WithInside(
        request, [this](const attest::Request& sdpa) { return SdpaBytes(sdpa); });
    return {inside + attest::cpu::LayerBytes(request, pool_->threads()), 0};
  }

  std::unique_ptr<attest::Plan> Create(const attest::Request& request) override {
    if (request.problem.op == ATTEST_OP_SDPA) return MakeSdpa(request);
    return attest::cpu::MakeLayerPlan(
        request, *pool_, [this](const attest::Request& sdpa) { return MakeSdpa(sdpa); });
  }

 private:
  uint64_t SdpaBytes(const attest::Request& request) const {
    return request.variant == kDecode ? attest::cpu::DecodeBytes(request, pool_->threads())
                                      : attest::cpu::FlashBytes(request, pool_->threads());
  }

  std::unique_ptr<attest::Plan> MakeSdpa(const attest::Request& request) const {
    return request.variant == kDecode ? attest::cpu::MakeDecodePlan(request, *pool_)
                                      : attest::cpu::MakeFlashPlan(request, *pool_);
  }

  static constexpr const char* kTypes = "the cpu backend knows the io types f32, f16 and bf16";
  std::unique_ptr<attest::ThreadPool> pool_;
};

}  // namespace

ATTEST_BACKEND(CpuBackend)
