// SPDX-License-Identifier: Apache-2.0
//
// The backend that every mutant and every correct variant is, sdpa and in f32 the layer: f32, f16
// and bf16, all masks, windows, lengths, layouts and softcap, OUT and LSE. Rows one after another
// on one thread; computed in f32 (m39: f64) and rounded once at the end. Compiled once for all of
// them.
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <variant>

#include "attest/backend.hpp"
#include "attest/sdpa.hpp"
#include "harm.h"
#include "layer.h"
#include "mutant.h"
#include "operands.h"
#include "rows.h"
#include "self.h"

namespace mutants {
namespace {

const Mutant& Self() {
  static const Mutant& self = FindMutant(kSelf);
  return self;
}

using AnyRows = std::variant<Rows<float>, Rows<double>>;
AnyRows MakeRows(const attest_problem& problem, const Operands& operands) {
  if (Self().fault == Fault::kTruncated) return Rows<double>(problem, Self(), operands);
  return Rows<float>(problem, Self(), operands);
}

class MutantPlan : public attest::Plan {
 public:
  explicit MutantPlan(const attest_problem& problem)
      : problem_(problem), operands_(problem, Self()), rows_(MakeRows(problem, operands_)) {}
  ~MutantPlan() override { Join(); }

  void Bind(attest::Tensors tensors) override {
    Join();
    tensors_.clear();
    for (const attest_tensor* tensor : tensors) tensors_.push_back(*tensor);
    pointers_.clear();
    for (const attest_tensor& tensor : tensors_) pointers_.push_back(&tensor);
  }

  void Run() override {
    if (Self().fault != Fault::kReturnsEarly) return Compute();
    Join();
    late_ = std::thread([this] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      Compute();
    });
  }

  attest::PlanInfo Info() override {
    const bool fallback = Self().fault == Fault::kSilentFallback;
    return {fallback ? "reference loops" : "scalar loops", Operands::BytesOf(problem_), 0};
  }

 private:
  void Join() {
    if (late_.joinable()) late_.join();
  }

  void Compute() {
    const attest_tensor& out = attest::GetTensor(pointers_, ATTEST_ROLE_OUT);
    if (Self().fault == Fault::kNothingWritten) return;
    const bool cached = Self().fault == Fault::kShapeCache;
    if (cached && AnswerFromCache(problem_, out)) return;
    operands_.Read(pointers_);
    std::visit([&](auto& rows) { ComputeRows(rows, out); }, rows_);
    if (cached) KeepInCache(problem_, out);
    HarmAfter(Self(), problem_, out, attest::GetTensor(pointers_, ATTEST_ROLE_K));
  }

  template <typename Real>
  void ComputeRows(Rows<Real>& rows, const attest_tensor& out) const {
    const attest_tensor* lse = attest::FindTensor(pointers_, ATTEST_ROLE_LSE);
    for (int64_t b = 0; b < problem_.batch_size; ++b)
      for (int64_t h = 0; h < problem_.q_num_heads; ++h)
        for (int64_t i = 0; i < problem_.q_sequence_length; ++i) {
          if (SkipsRow(Self(), problem_, i)) continue;
          const std::vector<Real>& row = rows.Compute(b, h, i);
          if (lse != nullptr) *attest::RowOf<float>(*lse, b, h, i) = static_cast<float>(rows.Lse());
          const int64_t first = b * out.strides[0] + h * out.strides[1] + i * out.strides[2];
          for (int64_t c = 0; c < problem_.v_head_size; ++c)
            StoreOutput(Self(), row[c], out, first + c * out.strides[3]);
        }
  }

  const attest_problem problem_;
  Operands operands_;
  AnyRows rows_;
  std::vector<attest_tensor> tensors_;
  std::vector<const attest_tensor*> pointers_;
  std::thread late_;
};

class MutantBackend : public attest::Backend {
 public:
  static inline const char* const kName = kSelf;

  attest::BackendInfo Info() override { return {"none (plain C++)", "1", "none"}; }
  std::vector<attest::Variant> Variants() override {
    return {{"", Self().what, Self().fault == Fault::kSilentFallback ? "scalar" : ""}};
  }
  attest::Contract ContractOf(uint32_t, int32_t dtype) override {
    if (!KnowsType(dtype)) throw attest::Unsupported(kTypes);
    attest::Contract contract;
    contract.operands = Self().algorithm.operands;
    contract.scores = Self().algorithm.scores;
    contract.probabilities = Self().algorithm.probabilities;
    contract.flags = ATTEST_CONTRACT_MASKED_NAN_SAFE;
    return contract;
  }
  std::optional<std::string> WhyUnsupported(const attest::Request& request) override {
    if (request.problem.op == ATTEST_OP_SELF_ATTENTION && request.problem.dtype != ATTEST_F32)
      return "mutants compute the layer in f32 only";
    if (!KnowsType(request.problem.dtype)) return kTypes;
    if (request.problem.outputs & ATTEST_OUTPUT_WEIGHTS) return "mutants have no WEIGHTS";
    return std::nullopt;
  }
  attest::Workspace WorkspaceOf(const attest::Request& request) override {
    return {Operands::BytesOf(request.problem), 0};
  }
  std::unique_ptr<attest::Plan> Create(const attest::Request& request) override {
    const attest_problem& problem = request.problem;
    if (problem.op == ATTEST_OP_SDPA) return std::make_unique<MutantPlan>(problem);
    return std::make_unique<LayerPlan>(problem, Self().fault, [](const attest_problem& inside) {
      return std::make_unique<MutantPlan>(inside);
    });
  }

 private:
  static constexpr const char* kTypes = "mutants know the io types f32, f16 and bf16";
  static bool KnowsType(int32_t dtype) {
    return dtype == ATTEST_F32 || dtype == ATTEST_F16 || dtype == ATTEST_BF16;
  }
};

}  // namespace
}  // namespace mutants

ATTEST_BACKEND(mutants::MutantBackend)
