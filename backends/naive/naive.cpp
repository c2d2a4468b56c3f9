// SPDX-License-Identifier: Apache-2.0
//
// The worked example: sdpa as abi.h words it, one query row at a time, in plain loops, and the
// layer as linear maps around it. Every io type, mask, window, length, layout, structure and
// output. f16 and bf16 are widened on load, everything is computed in f32 (f64 in f64) and rounded
// on store: the output, and in the layer what its parts hand to one another. Memory O(L) a thread.
// Not fast: no blocking, dot products as the compiler leaves them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "attest/backend.hpp"
#include "attest/half.hpp"
#include "attest/layer_plan.hpp"
#include "attest/sdpa.hpp"
#include "attest/thread_pool.hpp"
#include "linear.h"

namespace {

using attest::Widen;

// One plan for tensors of type Io. Real is what it computes in: f64 for f64, else f32.
template <typename Io>
class NaivePlan : public attest::Plan {
 public:
  using Real = std::conditional_t<std::is_same_v<Io, double>, double, float>;

  NaivePlan(const attest_problem& problem, attest::ThreadPool& pool)
      : problem_(problem), pool_(pool), scratch_(pool.threads()) {
    for (Scratch& scratch : scratch_) {
      scratch.scores.resize(problem.kv_sequence_length);
      scratch.output.resize(problem.v_head_size);
    }
  }

  static uint64_t BytesOf(const attest_problem& problem, unsigned threads) {
    return threads * sizeof(Real) * (problem.kv_sequence_length + problem.v_head_size);
  }

  void Bind(attest::Tensors tensors) override { bound_ = attest::BindSdpa(problem_, tensors); }

  void Run() override {
    const int64_t length = problem_.q_sequence_length;
    const int64_t heads = problem_.q_num_heads;
    pool_.Run(problem_.batch_size * heads * length, [&](int64_t row, unsigned thread) {
      ComputeRow(row / length / heads, row / length % heads, row % length, scratch_[thread]);
    });
  }

  attest::PlanInfo Info() override {
    return {"plain loops, one query row at a time", BytesOf(problem_, pool_.threads()), 0};
  }

 private:
  static constexpr Real kMinusInfinity = -std::numeric_limits<Real>::infinity();
  struct Scratch {
    std::vector<Real> scores;  // [Lk]: the row's scores, then exp(score - max)
    std::vector<Real> output;  // [v_head_size]
  };

  void ComputeRow(int64_t b, int64_t h, int64_t i, Scratch& scratch) const {
    const int64_t kv_head = h / (problem_.q_num_heads / problem_.kv_num_heads);
    const attest::KeySpan keys =
        attest::VisibleKeys(problem_, attest::KvLength(problem_, &bound_.lengths, b), i);
    Real max = kMinusInfinity;
    for (int64_t j = keys.begin; j < keys.end; ++j) {
      const Real score = Score(b, h, i, kv_head, j);
      scratch.scores[j] = score;
      if (score > max || score != score) max = score;  // a NaN stays the maximum
    }
    Real sum = 0;
    std::fill(scratch.output.begin(), scratch.output.end(), Real{0});
    for (int64_t j = keys.begin; j < keys.end; ++j) {
      // A key behind -inf is not read, so that what it holds (NaN, say) cannot reach the output.
      const bool seen = scratch.scores[j] != kMinusInfinity;
      const Real p = scratch.scores[j] = seen ? std::exp(scratch.scores[j] - max) : Real{0};
      sum += p;
      const Io* v = attest::RowOf<Io>(bound_.v, b, kv_head, j);
      for (int64_t c = 0; seen && c < problem_.v_head_size; ++c)
        scratch.output[c] += p * Widen(v[c * bound_.v.strides[3]]);
    }
    Store(b, h, i, keys, max, sum, scratch);
  }

  // The masked score of query i and key j; -inf where a mask hides the key, without reading it.
  Real Score(int64_t b, int64_t h, int64_t i, int64_t kv_head, int64_t j) const {
    Real bias = 0;
    if (problem_.attn_mask == ATTEST_MASK_BOOLEAN)
      bias = attest::RowOf<uint8_t>(bound_.mask, b, h, i)[j * bound_.mask.strides[3]]
                 ? 0
                 : kMinusInfinity;
    if (problem_.attn_mask == ATTEST_MASK_ADDITIVE)
      bias = Widen(attest::RowOf<Io>(bound_.mask, b, h, i)[j * bound_.mask.strides[3]]);
    if (bias == kMinusInfinity) return bias;
    const Io* q = attest::RowOf<Io>(bound_.q, b, h, i);
    const Io* k = attest::RowOf<Io>(bound_.k, b, kv_head, j);
    Real dot = 0;
    for (int64_t c = 0; c < problem_.head_size; ++c)
      dot += Widen(q[c * bound_.q.strides[3]]) * Widen(k[c * bound_.k.strides[3]]);
    const Real softcap = static_cast<Real>(problem_.softcap);
    const Real score = static_cast<Real>(problem_.scale) * dot;
    return (softcap > 0 ? softcap * std::tanh(score / softcap) : score) + bias;
  }

  // Writes the row's outputs. A row that sees no key, or only -inf, gets 0 and an LSE of -inf.
  void Store(int64_t b, int64_t h, int64_t i, attest::KeySpan keys, Real max, Real sum,
             const Scratch& scratch) const {
    const bool dead = max == kMinusInfinity;
    Io* out = attest::RowOf<Io>(bound_.out, b, h, i);
    for (int64_t c = 0; c < problem_.v_head_size; ++c)
      attest::Narrow(dead ? Real{0} : scratch.output[c] / sum, &out[c * bound_.out.strides[3]]);
    if (problem_.outputs & ATTEST_OUTPUT_LSE)
      *attest::RowOf<Real>(bound_.lse, b, h, i) = dead ? kMinusInfinity : max + std::log(sum);
    if (!(problem_.outputs & ATTEST_OUTPUT_WEIGHTS)) return;
    Io* weights = attest::RowOf<Io>(bound_.weights, b, h, i);
    for (int64_t j = 0; j < problem_.kv_sequence_length; ++j) {
      const bool zero = dead || j < keys.begin || j >= keys.end;
      attest::Narrow(zero ? Real{0} : scratch.scores[j] / sum,
                     &weights[j * bound_.weights.strides[3]]);
    }
  }

  const attest_problem problem_;
  attest::ThreadPool& pool_;
  std::vector<Scratch> scratch_;
  attest::SdpaTensors bound_{};
};

class NaiveBackend : public attest::Backend {
 public:
  static constexpr const char* kName = "naive";

  void Configure(const attest_settings& settings) override {
    pool_ = std::make_unique<attest::ThreadPool>(settings.threads);
  }
  attest::BackendInfo Info() override { return {"none (plain C++)", "1", "std::thread"}; }
  std::vector<attest::Variant> Variants() override {
    return {{"", "plain loops, one query row at a time, O(L) memory", ""}};
  }
  attest::Contract ContractOf(uint32_t, int32_t dtype) override {
    if (dtype < ATTEST_F32 || dtype > ATTEST_F64) throw attest::Unsupported(kTypes);
    attest::Contract contract;  // exp: within the default, the C library's is under 1 ulp
    contract.accumulate = dtype == ATTEST_F64 ? ATTEST_FORMAT_F64 : ATTEST_FORMAT_F32;
    contract.flags = ATTEST_CONTRACT_MASKED_NAN_SAFE;
    if (dtype == ATTEST_F16) contract.projections = ATTEST_FORMAT_F16;
    if (dtype == ATTEST_BF16) contract.projections = ATTEST_FORMAT_BF16;
    return contract;
  }
  std::optional<std::string> WhyUnsupported(const attest::Request& request) override {
    const int32_t op = request.problem.op;
    if (op == ATTEST_OP_SDPA || op == ATTEST_OP_SELF_ATTENTION) return std::nullopt;
    return "naive computes sdpa and self_attention only";
  }
  attest::Workspace WorkspaceOf(const attest::Request& request) override {
    const attest_problem& p = request.problem;
    const bool layer = p.op == ATTEST_OP_SELF_ATTENTION;
    const uint64_t rows = p.dtype == ATTEST_F64 ? NaivePlan<double>::BytesOf(p, pool_->threads())
                                                : NaivePlan<float>::BytesOf(p, pool_->threads());
    return {rows + (layer ? attest::LayerPlan::BytesOf(p) : 0), 0};
  }
  std::unique_ptr<attest::Plan> Create(const attest::Request& request) override {
    switch (request.problem.dtype) {
      case ATTEST_F32:
        return Make<float>(request);
      case ATTEST_F16:
        return Make<attest::Half>(request);
      case ATTEST_BF16:
        return Make<attest::Bfloat16>(request);
      case ATTEST_F64:
        return Make<double>(request);
    }
    throw attest::Unsupported(kTypes);
  }

 private:
  template <typename Io>
  std::unique_ptr<attest::Plan> Make(const attest::Request& request) {
    const auto sdpa = [this](const attest::Request& inside) {
      return std::make_unique<NaivePlan<Io>>(inside.problem, *pool_);
    };
    if (request.problem.op == ATTEST_OP_SDPA) return sdpa(request);
    const auto linear = [this](std::span<const attest::LinearMap> maps) {
      for (const attest::LinearMap& map : maps) naive::Linear<Io>(map, *pool_);
    };
    return std::make_unique<attest::LayerPlan>(request, sdpa, linear, "plain loops");
  }

  static constexpr const char* kTypes = "naive knows the io types f32, f16, bf16 and f64";
  std::unique_ptr<attest::ThreadPool> pool_;
};

}  // namespace

ATTEST_BACKEND(NaiveBackend)
