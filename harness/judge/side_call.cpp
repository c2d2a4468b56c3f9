// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/side_call.h"

#include <fmt/format.h>

#include <stdexcept>

#include "harness/core/convert.h"
#include "harness/core/memory.h"

namespace attest::judge {
namespace {

constexpr uint32_t kPlan = 1000000;     // above every entry's
constexpr uint32_t kBufferIds = 10000;  // above those of the cell's inputs and outputs

struct Attached {
  size_t tensor;
  const Buffer* buffer;
  bool writable;
};

// Attach, prepare, run, and on every way out give all of it back while the worker lives.
class Call {
 public:
  Call(const Contender& contender, const SideCase& side)
      : contender_(contender), host_(*contender.host), side_(side) {
    for (const auto& [tensor, buffer] : side.inputs) memory_.push_back({tensor, &buffer, false});
    for (size_t n = 0; n < side.tensors.size(); ++n)
      if (IsOutput(side.tensors[n].role))
        outputs_.emplace_back(n, Buffer(BufferBytes(side.tensors[n])));
    for (auto& [tensor, buffer] : outputs_) {
      FillPoison(buffer, kPoisons[0]);
      memory_.push_back({tensor, &buffer, true});
    }
  }

  ~Call() {
    try {
      if (prepared_ && host_.alive()) (void)host_.Ask(protocol::Release{kPlan});
      if (attached_ && host_.alive()) (void)host_.Ask(protocol::Detach{Ids()});
    } catch (const WorkerLost&) {  // the next call starts a new one, which has none of it
    }
  }

  SideOutput Run() {
    (void)host_.Load();
    Attach();
    SideOutput result;
    const protocol::Reply prepared = host_.Ask(PrepareRequest());
    if (prepared.status == "unsupported") {
      result.unsupported = prepared.message;
      return result;
    }
    RequireOk(prepared);
    prepared_ = true;
    const protocol::Reply reply = host_.Ask(protocol::Run{kPlan, Binding()});
    if (reply.status == "unsupported") {
      result.unsupported = reply.message;
      return result;
    }
    RequireOk(reply);
    Read(result);
    return result;
  }

 private:
  static void RequireOk(const protocol::Reply& reply) {
    if (reply.status != "ok")
      throw std::runtime_error(fmt::format("{}: {}", reply.status, reply.message));
  }

  std::vector<uint32_t> Ids() const {
    std::vector<uint32_t> ids;
    for (size_t n = 0; n < memory_.size(); ++n)
      ids.push_back(kBufferIds + static_cast<uint32_t>(n));
    return ids;
  }

  void Attach() {
    protocol::Attach attach;
    std::vector<int> descriptors;
    for (size_t n = 0; n < memory_.size(); ++n) {
      attach.buffers.push_back(
          {kBufferIds + static_cast<uint32_t>(n), memory_[n].buffer->bytes(), memory_[n].writable});
      descriptors.push_back(memory_[n].buffer->shareable());
    }
    RequireOk(host_.Ask(attach, descriptors));
    attached_ = true;
  }

  protocol::Prepare PrepareRequest() const {
    protocol::Prepare request;
    request.plan = kPlan;
    request.variant = contender_.variant_index;
    request.problem = side_.problem;
    request.tensors = side_.tensors;
    request.host_bytes_limit = static_cast<uint64_t>(AvailableMemoryBytes());
    return request;
  }

  protocol::Binding Binding() const {
    protocol::Binding binding;
    for (size_t n = 0; n < memory_.size(); ++n)
      binding.push_back(PlaceTensor(side_.tensors[memory_[n].tensor],
                                    kBufferIds + static_cast<uint32_t>(n), Alignment::kStart));
    return binding;
  }

  void Read(SideOutput& result) const {
    for (const auto& [index, buffer] : outputs_) {
      attest_tensor tensor = side_.tensors[index];
      tensor.data = const_cast<std::byte*>(buffer.data());
      if (result.wrong.empty()) result.wrong = CheckMemory({tensor, &buffer}, kPoisons[0]);
      const bool out = tensor.role == ATTEST_ROLE_OUT;
      for (int64_t i = 0; i < tensor.shape[2]; ++i)
        for (int64_t c = 0; c < (out ? tensor.shape[3] : 1); ++c)
          (out ? result.out : result.lse)
              .push_back(LoadElement(tensor.data, tensor.dtype,
                                     i * tensor.strides[2] + c * tensor.strides[3]));
    }
  }

  const Contender& contender_;
  Host& host_;
  const SideCase& side_;
  std::vector<std::pair<size_t, Buffer>> outputs_;
  std::vector<Attached> memory_;
  bool attached_ = false, prepared_ = false;
};

}  // namespace

SideOutput CallSide(const Contender& contender, const SideCase& side) {
  return Call(contender, side).Run();
}

}  // namespace attest::judge
