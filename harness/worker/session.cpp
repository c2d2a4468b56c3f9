// SPDX-License-Identifier: Apache-2.0
//
// One function for each request of PROTOCOL.md.
#include "harness/worker/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <new>
#include <stdexcept>

#include "harness/core/tensors.h"
#include "harness/worker/measure.h"
#include "harness/worker/memory.h"

namespace attest::worker {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string TextOf(const char* text) { return text == nullptr ? "" : text; }

}  // namespace

void Session::Serve() {
  while (!has_quit_) {
    std::optional<protocol::Packet> packet = channel_.Receive();
    if (!packet) return;
    uint64_t id = 0;
    descriptors_ = std::move(packet->descriptors);
    const protocol::Reply reply = Handle(*packet, &id);
    descriptors_.clear();
    channel_.Send(protocol::Encode(id, reply));
  }
}

protocol::Reply Session::Handle(const protocol::Packet& packet, uint64_t* id) {
  try {
    const protocol::Request request = protocol::DecodeRequest(packet.text, id);
    return {"ok", "", std::visit([this](const auto& one) { return Answer(one); }, request)};
  } catch (const Refusal& refusal) {
    return {refusal.status(), refusal.what(), protocol::Done{}};
  } catch (const std::bad_alloc&) {
    return {"out_of_memory", "the worker itself is out of memory", protocol::Done{}};
  } catch (const std::invalid_argument& error) {
    return {"protocol_error", error.what(), protocol::Done{}};
  } catch (const std::exception& error) {
    return {"internal_error", error.what(), protocol::Done{}};
  }
}

protocol::Body Session::Answer(const protocol::Load& request) {
  if (is_loaded_) throw std::invalid_argument("load: this worker has loaded already");
  is_loaded_ = true;
  threads_ = std::max(request.threads, 1u);
  device_ = request.device;
  if (request.path.empty()) return protocol::LoadReply{};
  plugin_ = std::make_unique<Plugin>(request);
  InstallCrashHandlers();  // over those of the libraries that came with it
  return plugin_->description();
}

protocol::Body Session::Answer(const protocol::Attach& request) {
  buffers_.Attach(request.buffers, descriptors_);
  return protocol::Done{};
}

protocol::Body Session::Answer(const protocol::Detach& request) {
  buffers_.Detach(request.buffers);
  return protocol::Done{};
}

void Session::CheckWorkspace(const attest_plan_request& request, uint64_t limit) {
  uint64_t host_bytes = 0, device_bytes = 0;
  Plugin& plugin = GetPlugin();
  plugin.Call(protocol::kPlanWorkspace, [&](auto* m) {
    return plugin.table().plan_workspace(&request, &host_bytes, &device_bytes, m);
  });
  if (limit > 0 && host_bytes > limit)
    throw Refusal("out_of_memory",
                  fmt::format("the plan needs {} bytes, {} are allowed", host_bytes, limit));
}

protocol::Body Session::Answer(const protocol::Prepare& request) {
  Plugin& plugin = GetPlugin();
  if (plans_.count(request.plan))
    throw std::invalid_argument(fmt::format("plan: {} is in use", request.plan));
  if (request.variant >= plugin.description().variants.size())
    throw std::invalid_argument(fmt::format("variant: there is no {}", request.variant));
  PlanState state{nullptr, request.tensors};
  const std::vector<const attest_tensor*> pointers = Pointers(state.descriptions);
  const attest_plan_request wanted{sizeof wanted, &request.problem, pointers.data(),
                                   static_cast<uint32_t>(pointers.size()), request.variant};
  plugin.Call(protocol::kSupports, [&](auto* m) { return plugin.table().supports(&wanted, m); });
  CheckWorkspace(wanted, request.host_bytes_limit);
  ResetPeakMemory();
  const Clock::time_point start = Clock::now();
  plugin.Call(protocol::kPlanCreate,
              [&](auto* m) { return plugin.table().plan_create(&wanted, &state.plan, m); });
  const double seconds = SecondsSince(start);
  if (state.plan == nullptr) throw Refusal("internal_error", "plan_create returned OK and no plan");
  InstallCrashHandlers();
  const attest_plan_info info = InfoOf(state.plan);
  plans_.emplace(request.plan, std::move(state));
  return protocol::PrepareReply{info.workspace_bytes, info.device_bytes, seconds,
                                TextOf(info.implementation)};
}

protocol::Body Session::Answer(const protocol::Run& request) {
  Plugin& plugin = GetPlugin();
  const PlanState& state = GetPlan(request.plan);
  const std::vector<attest_tensor> tensors = buffers_.Place(state.descriptions, request.binding);
  Bind(state.plan, tensors);
  const Clock::time_point start = Clock::now();
  Control().calls = Control().calls + 1;
  plugin.Call(protocol::kPlanRun, [&](auto* m) { return plugin.table().plan_run(state.plan, m); });
  plugin.Call(protocol::kPlanSync,
              [&](auto* m) { return plugin.table().plan_sync(state.plan, m); });
  const double seconds = SecondsSince(start);
  plugin.Call(protocol::kPlanDownload,
              [&](auto* m) { return plugin.table().plan_download(state.plan, m); });
  const attest_plan_info info = InfoOf(state.plan);
  return protocol::RunReply{
      seconds,           PeakMemoryBytes(),           info.workspace_bytes,
      info.device_bytes, TextOf(info.implementation), plugin.FloatingPointReport()};
}

protocol::Body Session::Answer(const protocol::Measure& request) {
  if (request.iterations == 0) throw std::invalid_argument("iterations: must be at least 1");
  Plugin& plugin = GetPlugin();
  const PlanState& state = GetPlan(request.plan);
  const std::vector<attest_tensor> tensors = buffers_.Place(state.descriptions, request.binding);
  Bind(state.plan, tensors);
  // A host backend must not learn of the poison: one that computes only after a bind would pass.
  std::function<void()> rebind;
  if (InfoOf(state.plan).device_bytes > 0) rebind = [&] { Bind(state.plan, tensors); };
  const protocol::MeasureReply reply = MeasureRound(plugin, state.plan, request, tensors, rebind);
  plugin.Call(protocol::kPlanDownload,
              [&](auto* m) { return plugin.table().plan_download(state.plan, m); });
  return reply;
}

protocol::Body Session::Answer(const protocol::Release& request) {
  Plugin& plugin = GetPlugin();
  attest_plan* plan = GetPlan(request.plan).plan;
  plans_.erase(request.plan);
  plugin.Call(protocol::kPlanDestroy, [&](auto*) {
    plugin.table().plan_destroy(plan);
    return ATTEST_OK;
  });
  return protocol::Done{};
}

protocol::Body Session::Answer(const protocol::Ceilings& request) {
  if (!plugin_ || plugin_->ceiling() == nullptr)
    return request.figure.empty() ? host_ceilings_.Measure(threads_, request)
                                  : host_ceilings_.Sample(threads_, request);
  attest_ceiling_values values{};
  values.size = sizeof values;
  plugin_->Call(protocol::kCeiling, [&](auto* m) {
    return plugin_->ceiling()->measure(device_, request.footprint_bytes, &values, m);
  });
  return protocol::CeilingsReply{threads_, "device", values.f32_fma_flops, values.bf16_dot_flops,
                                 values.read_bytes_per_second};
}

protocol::Body Session::Answer(const protocol::Quit&) {
  has_quit_ = true;
  return protocol::Done{};
}

Plugin& Session::GetPlugin() {
  if (!plugin_) throw std::invalid_argument("no plugin is loaded");
  return *plugin_;
}

Session::PlanState& Session::GetPlan(uint32_t id) {
  const auto found = plans_.find(id);
  if (found == plans_.end()) throw std::invalid_argument(fmt::format("plan: there is no {}", id));
  return found->second;
}

attest_plan_info Session::InfoOf(attest_plan* plan) {
  attest_plan_info info{};
  info.size = sizeof info;
  Plugin& plugin = GetPlugin();
  plugin.Call(protocol::kPlanInfo,
              [&](auto* m) { return plugin.table().plan_info(plan, &info, m); });
  return info;
}

void Session::Bind(attest_plan* plan, const std::vector<attest_tensor>& tensors) {
  const std::vector<const attest_tensor*> pointers = Pointers(tensors);
  Plugin& plugin = GetPlugin();
  plugin.Call(protocol::kPlanBind, [&](auto* m) {
    return plugin.table().plan_bind(plan, pointers.data(), static_cast<uint32_t>(pointers.size()),
                                    m);
  });
}

}  // namespace attest::worker
