// SPDX-License-Identifier: Apache-2.0
//
// The OpenCL backend: one process works on one device. f32, f16 and bf16 io, arithmetic in f32.
// Variants of sdpa, and of the layer around it:
//   decode     decode.cl, CPU devices: few queries, keys split
//   flash_tile flash_tile.cl, GPU devices: local tiles
//   flash_vec  flash_vec.cl, CPU devices: vectors, packed keys
//   naive      naive.cl, one work-item per query row
// On a CPU device the wall clock is the fair timer beside other host backends, so the device timer
// offers its modes on other devices only; there it tells afterwards what the events said.
#include "opencl.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "attest/backend.hpp"
#include "attest/layer_plan.hpp"
#include "ceiling.h"
#include "device.h"
#include "error.h"
#include "plan.h"
#include "sdpa_variant.h"

namespace attest::opencl {
namespace {

constexpr const SdpaVariant* kVariants[] = {&kDecode, &kFlashTile, &kFlashVec,
                                            &kNaive};  // alphabetical

// use(the request, or that of the sdpa inside a layer)
template <typename Use>
auto WithSdpa(const Request& request, const Use& use) {
  if (request.problem.op == ATTEST_OP_SDPA) return use(request);
  return LayerPlan::WithInside(request, use);
}

// Whether the process may use CPUs 0 to count - 1 and no others.
bool HasJustTheFirstCpus(uint32_t count) {
  cpu_set_t allowed, first;
  CPU_ZERO(&first);
  for (uint32_t cpu = 0; cpu < std::min<uint32_t>(count, CPU_SETSIZE); ++cpu) CPU_SET(cpu, &first);
  return sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_EQUAL(&allowed, &first);
}

class OpenclBackend : public Backend {
 public:
  static constexpr const char* kName = "opencl";

  // PoCL reads its settings from the environment at the first call of OpenCL.
  void Configure(const attest_settings& settings) override {
    settings_ = settings;
    cache_directory_ = settings.cache_directory == nullptr ? "" : settings.cache_directory;
    setenv("POCL_MAX_PTHREAD_COUNT", std::to_string(settings.threads).c_str(), 1);
    // Its threads sleep between launches, and Linux often wakes two on one CPU, where they stay: on
    // a machine with two, half of the launches took twice as long. It binds thread i to CPU i.
    bound_ = HasJustTheFirstCpus(settings.threads);
    if (bound_) setenv("POCL_AFFINITY", "1", 1);
    if (cache_directory_.empty())
      setenv("POCL_KERNEL_CACHE", "0", 1);
    else
      setenv("POCL_CACHE_DIR", (cache_directory_ + "/pocl").c_str(), 1);
  }

  BackendInfo Info() override {
    return {"OpenCL", LibraryVersion(),
            bound_ ? "the driver's threads, PoCL's with a CPU each" : "the driver's threads"};
  }

  std::vector<Device> Devices() override {
    std::vector<Device> descriptions;
    for (const FoundDevice& device : Found()) descriptions.push_back(device.description);
    return descriptions;
  }

  std::vector<Variant> Variants() override {
    std::vector<Variant> variants;
    for (const SdpaVariant* variant : kVariants)
      variants.push_back({variant->name, variant->description, variant->kernel_file});
    return variants;
  }

  Contract ContractOf(uint32_t variant, int32_t dtype) override {
    if (dtype != ATTEST_F32 && dtype != ATTEST_F16 && dtype != ATTEST_BF16)
      throw Unsupported("opencl has f32, f16 and bf16 io");
    Contract contract;
    contract.exp_relative_error = kVariants[variant]->exp_relative_error;
    contract.flags = kVariants[variant]->contract_flags;
    if (dtype == ATTEST_F16) contract.projections = ATTEST_FORMAT_F16;
    if (dtype == ATTEST_BF16) contract.projections = ATTEST_FORMAT_BF16;
    return contract;
  }

  std::optional<std::string> WhyUnsupported(const Request& request) override {
    const attest_problem& problem = request.problem;
    if (problem.op != ATTEST_OP_SDPA && problem.op != ATTEST_OP_SELF_ATTENTION)
      return "opencl computes sdpa and self_attention only";
    ContractOf(request.variant, problem.dtype);
    Session& session = TheSession();
    const SdpaVariant& variant = *kVariants[request.variant];
    const auto why = WithSdpa(
        request, [&](const Request& sdpa) { return variant.why_unsupported(sdpa, session); });
    if (why) return why;
    const uint64_t limit = session.device.max_allocation_bytes;
    uint64_t largest = PlanBytes(request, FileOf(variant), session, ScratchBytes(request));
    for (const attest_tensor* tensor : request.tensors)
      largest = std::max(largest, tensor->extent_bytes);
    if (largest > limit)
      return "a buffer of " + std::to_string(largest) + " bytes is needed, " +
             session.device.description.name + " gives at most " + std::to_string(limit);
    return std::nullopt;
  }

  Workspace WorkspaceOf(const Request& request) override {
    const uint64_t own = PlanBytes(request, FileOf(*kVariants[request.variant]), TheSession(),
                                   ScratchBytes(request));
    if (TheSession().device.IsCpu()) return {own, 0};
    uint64_t device_bytes = own;
    for (const attest_tensor* tensor : request.tensors)
      device_bytes +=
          tensor->extent_bytes + tensor->margin_before_bytes + tensor->margin_after_bytes;
    return {0, device_bytes};
  }

  std::unique_ptr<Plan> Create(const Request& request) override {
    Session& session = TheSession();
    const SdpaVariant& variant = *kVariants[request.variant];
    Recipe recipe =
        WithSdpa(request, [&](const Request& sdpa) { return variant.recipe(sdpa, session); });
    return MakePlan(request, session, std::move(recipe), FileOf(variant));
  }

  const void* Extension(const char* name) override;

  // The device that the host chose, opened at the first use. Throws Unsupported, DeviceError.
  // [setup]
  Session& TheSession() {
    if (session_ != nullptr) return *session_;
    if (settings_.device >= Found().size())
      throw Unsupported("OpenCL device " + std::to_string(settings_.device) + " of " +
                        std::to_string(Found().size()) + " does not exist");
    session_ = Checked("opening the device", [&] {
      auto session = std::make_unique<Session>();
      session->device = Found()[settings_.device];
      session->context = cl::Context(session->device.handle);
      session->queue =
          cl::CommandQueue(session->context, session->device.handle, CL_QUEUE_PROFILING_ENABLE);
      session->threads = settings_.threads;
      session->cache_directory = cache_directory_;
      return session;
    });
    return *session_;
  }

 private:
  uint64_t ScratchBytes(const Request& request) {
    return WithSdpa(request, [this](const Request& sdpa) {
      return kVariants[sdpa.variant]->scratch_bytes(sdpa, TheSession());
    });
  }

  // flash_tile runs on CPU devices only to be tested there, and so do the maps around it.
  LinearFile FileOf(const SdpaVariant& variant) {
    const bool tiles = !TheSession().device.IsCpu() || &variant == &kFlashTile;
    return tiles ? LinearFile::kTile : LinearFile::kVec;
  }

  const std::vector<FoundDevice>& Found() {
    if (found_.empty()) found_ = FindDevices();
    return found_;
  }

  // Of the chosen device's platform: that is the library which does the work.
  std::string LibraryVersion() {
    try {
      return Found().at(settings_.device).library;
    } catch (const std::exception&) {
      return "no device";
    }
  }

  attest_settings settings_{};
  std::string cache_directory_;
  bool bound_ = false;
  std::vector<FoundDevice> found_;
  std::unique_ptr<Session> session_;
};

using Exports = detail::Table<OpenclBackend>;

uint32_t TimerModes(attest_plan*) {
  uint32_t modes = 0;
  (void)detail::Guard(nullptr, [&] {
    if (!Exports::Get().backend.TheSession().device.IsCpu()) modes = 1u << ATTEST_TIMER_HOT;
  });
  return modes;
}

attest_status TimerRun(attest_plan* plan, int32_t mode, double* seconds, attest_message* message) {
  return detail::Guard(message, [&] {
    if (mode != ATTEST_TIMER_HOT) throw Unsupported("OpenCL's timer has the hot mode only");
    *seconds = static_cast<TimedPlan&>(Exports::Unwrap(plan)).RunTimed();
  });
}

double LastSeconds(attest_plan* plan) {
  double seconds = 0;
  (void)detail::Guard(
      nullptr, [&] { seconds = static_cast<TimedPlan&>(Exports::Unwrap(plan)).LastSeconds(); });
  return seconds;
}

attest_status MeasureCeiling(uint32_t, uint64_t footprint_bytes, attest_ceiling_values* values,
                             attest_message* message) {
  return detail::Guard(message, [&] {
    detail::Fill(values, MeasureCeilings(Exports::Get().backend.TheSession(), footprint_bytes));
  });
}

const void* OpenclBackend::Extension(const char* name) {
  static constexpr attest_timer kTimer = {sizeof(attest_timer), TimerModes, TimerRun, LastSeconds};
  static constexpr attest_ceiling kCeiling = {sizeof(attest_ceiling), MeasureCeiling};
  if (std::string(name) == ATTEST_TIMER_EXTENSION) return &kTimer;
  if (std::string(name) == ATTEST_CEILING_EXTENSION) return &kCeiling;
  return nullptr;
}

}  // namespace
}  // namespace attest::opencl

ATTEST_BACKEND(attest::opencl::OpenclBackend)
