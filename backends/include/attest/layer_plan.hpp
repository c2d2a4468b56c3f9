// SPDX-License-Identifier: Apache-2.0
//
// The whole layer of a host backend that has sdpa and a matrix product: Q, K, V and the heads'
// outputs lie in scratch of the io type, so f16 and bf16 contracts declare that in
// Contract::projections.
#ifndef ATTEST_LAYER_PLAN_HPP_
#define ATTEST_LAYER_PLAN_HPP_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "attest/aligned_buffer.hpp"
#include "attest/backend.hpp"
#include "attest/layer.hpp"

namespace attest {

class LayerPlan : public Plan {
 public:
  // Computes maps of which none reads what another writes. [timed]: allocates nothing
  using Linear = std::function<void(std::span<const LinearMap>)>;
  using MakeSdpa = std::function<std::unique_ptr<Plan>(const Request&)>;

  // Of its own scratch, the sdpa's not counted.
  static uint64_t BytesOf(const attest_problem& problem) {
    uint64_t bytes = 0;
    const LayerScratch scratch = ScratchOf(problem);
    for (const int64_t part : {scratch.q, scratch.k, scratch.v, scratch.o})
      bytes += Rounded(static_cast<uint64_t>(part) * LayerParts::BytesOf(problem.dtype));
    return bytes + kAlignment;
  }

  // use(request of the sdpa inside), whose tensors have no data and end with the call: what sdpa
  // supports, what it needs, its plan.
  template <typename Use>
  static auto WithInside(const Request& request, const Use& use) {
    const attest_problem inside = SdpaInside(request.problem);
    const LayerParts parts(request.problem, request.tensors, request.problem.dtype, {});
    const auto pointers = PointersTo(parts.sdpa());
    return use(Request{inside, pointers, request.variant});
  }

  // make_sdpa makes the plan of the sdpa inside; `linear_name` goes into the implementation, before
  // the sdpa's own; linear_bytes is what it holds.
  LayerPlan(const Request& request, const MakeSdpa& make_sdpa, Linear linear,
            std::string linear_name, uint64_t linear_bytes = 0)
      : problem_(request.problem),
        linear_(std::move(linear)),
        linear_name_(std::move(linear_name)),
        bytes_(BytesOf(request.problem)),
        linear_bytes_(linear_bytes),
        scratch_(static_cast<int64_t>(bytes_)) {
    sdpa_ = WithInside(request, make_sdpa);
  }

  void Bind(Tensors tensors) override {
    parts_ = std::make_unique<LayerParts>(problem_, tensors, problem_.dtype, MemoryOf());
    const auto pointers = PointersTo(parts_->sdpa());
    sdpa_->Bind(pointers);
  }

  void Run() override {
    linear_(parts_->before());
    sdpa_->Run();
    sdpa_->Sync();
    linear_(parts_->after());
  }

  PlanInfo Info() override {
    PlanInfo info = sdpa_->Info();
    info.implementation = linear_name_ + "; sdpa: " + info.implementation;
    info.workspace_bytes += bytes_ + linear_bytes_;
    return info;
  }

 private:
  static constexpr uint64_t kAlignment = 128;  // as the host's tensors
  static uint64_t Rounded(uint64_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  LayerParts::Memory MemoryOf() {
    const LayerScratch sizes = ScratchOf(problem_);
    const auto address = reinterpret_cast<uintptr_t>(scratch_.data());
    std::byte* next = scratch_.data() + (Rounded(address) - address);
    const auto take = [&](int64_t elements) {
      std::byte* part = next;
      next += Rounded(static_cast<uint64_t>(elements) * LayerParts::BytesOf(problem_.dtype));
      return static_cast<void*>(part);
    };
    LayerParts::Memory memory;
    memory.q = take(sizes.q);
    memory.k = take(sizes.k);
    memory.v = take(sizes.v);
    memory.o = take(sizes.o);
    return memory;
  }

  const attest_problem problem_;
  const Linear linear_;
  const std::string linear_name_;
  const uint64_t bytes_;
  const uint64_t linear_bytes_;
  AlignedBuffer<std::byte> scratch_;  // zeros: mean_pool's Q and K stay so
  std::unique_ptr<LayerParts> parts_;
  std::unique_ptr<Plan> sdpa_;
};

}  // namespace attest

#endif  // ATTEST_LAYER_PLAN_HPP_
