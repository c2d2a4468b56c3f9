// SPDX-License-Identifier: Apache-2.0
//
// A call is plan_run and plan_sync between two readings of the steady clock (about 50 ns together),
// or the device's own time where the plugin has a clock for it. No check stands inside the times
// but the two statuses. Where the host's clock is the timer, the device's is read after each call.
#include "harness/worker/measure.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <ctime>
#include <optional>
#include <vector>

#include "harness/core/names.h"
#include "harness/worker/timing.h"

namespace attest::worker {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Context switches so far, of all threads of the process.
struct Switches {
  uint64_t voluntary, involuntary;
};
Switches CountSwitches() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {static_cast<uint64_t>(usage.ru_nvcsw), static_cast<uint64_t>(usage.ru_nivcsw)};
}

// Fills outputs from the first to the last element; margins keep what the judge wrote.
void Poison(std::span<const attest_tensor> tensors, uint32_t pattern) {
  for (const attest_tensor& tensor : tensors) {
    if (!IsOutput(tensor.role)) continue;
    auto* bytes = static_cast<char*>(tensor.data);
    for (uint64_t i = 0; i < tensor.extent_bytes; i += sizeof pattern)
      std::memcpy(bytes + i, &pattern, std::min<uint64_t>(sizeof pattern, tensor.extent_bytes - i));
  }
}

// Reads that many bytes, so that the caches hold them instead of the tensors.
class CacheEvictor {
 public:
  explicit CacheEvictor(double bytes) : words_(static_cast<size_t>(bytes / sizeof(uint64_t)), 1) {}
  void Evict() {
    uint64_t sum = 0;
    for (size_t i = 0; i < words_.size(); i += kWordsPerLine) sum += words_[i];
    sink_ = sum;
  }

 private:
  static constexpr size_t kWordsPerLine = 64 / sizeof(uint64_t);
  std::vector<uint64_t> words_;
  volatile uint64_t sink_ = 0;
};

class Round {
 public:
  Round(Plugin& plugin, attest_plan* plan, const protocol::Measure& request,
        std::span<const attest_tensor> tensors, const std::function<void()>& rebind)
      : plugin_(plugin),
        plan_(plan),
        request_(request),
        tensors_(tensors),
        rebind_(rebind),
        evictor_(request.cold_bytes),
        mode_(TimerMode()) {}

  protocol::MeasureReply Measure() {
    WarmUp();
    wall_seconds_ = 0;
    device_seconds_ = 0;
    const Switches before = CountSwitches();
    const double cpu = CpuSeconds();
    const Timing timing =
        TimeCalls(request_.iterations, [this](uint64_t index) { return Iterate(index); });
    const double cpu_used = CpuSeconds() - cpu - off_clock_cpu_seconds_;
    const Switches after = CountSwitches();
    const auto calls = static_cast<double>(timing.iterations);
    return {timing.iterations,
            timing.mean_seconds,
            wall_seconds_ / calls,
            std::max(cpu_used, 0.) / calls,
            timing.min_seconds,
            timing.max_seconds,
            mode_ < 0 ? "wall" : "device",
            after.involuntary - before.involuntary,
            after.voluntary - before.voluntary,
            device_seconds_.value_or(0) / calls};
  }

 private:
  // What ran in between left the caches something else. 134 MB of K and V take ten passes until
  // they are all in the last-level cache of a server again (each faster than the one before, by
  // half in all). A round of one call has none to spare.
  void WarmUp() {
    if (request_.cold_bytes > 0 || request_.iterations <= 1) return;
    do Call();
    while (wall_seconds_ < request_.warm_up_seconds);
  }

  // The device timer's mode, or -1 for the wall clock.
  int32_t TimerMode() {
    if (plugin_.timer() == nullptr) return -1;
    uint32_t modes = 0;
    plugin_.Call(protocol::kPlanInfo, [&](auto*) {
      modes = plugin_.timer()->modes(plan_);
      return ATTEST_OK;
    });
    const int32_t wanted = request_.cold_bytes > 0 ? ATTEST_TIMER_COLD : ATTEST_TIMER_HOT;
    return modes & (1u << wanted) ? wanted : -1;
  }

  double Iterate(uint64_t index) {
    if (index == request_.poison_iteration || request_.cold_bytes > 0) PrepareCall(index);
    return Call();
  }

  double Call() {
    double device_seconds = 0;
    attest_status status;
    volatile protocol::ControlPage& control = Control();
    const Clock::time_point start = Clock::now();
    control.phase = protocol::kPlanRun;
    control.calls = control.calls + 1;
    try {
      if (mode_ < 0) {
        status = plugin_.table().plan_run(plan_, message_.get());
        control.phase = protocol::kPlanSync;
        if (status == ATTEST_OK) status = plugin_.table().plan_sync(plan_, message_.get());
      } else {
        status = plugin_.timer()->run(plan_, mode_, &device_seconds, message_.get());
      }
    } catch (...) {
      RefuseException(protocol::PhaseName(control.phase));
    }
    const double seconds = SecondsSince(start);
    wall_seconds_ += seconds;
    CheckStatus(status, message_, protocol::PhaseName(control.phase));
    if (mode_ < 0 && device_seconds_) device_seconds = LastSeconds();
    AddDeviceSeconds(device_seconds);
    control.phase = protocol::kIdle;
    return mode_ < 0 ? seconds : device_seconds;
  }

  // Of the call just timed by the host's clock, or 0.
  double LastSeconds() {
    if (plugin_.last_seconds() == nullptr) return 0;
    Control().phase = protocol::kPlanInfo;
    try {
      return plugin_.last_seconds()(plan_);
    } catch (...) {
      RefuseException(protocol::PhaseName(protocol::kPlanInfo));
    }
  }

  // One unknown time makes the round's unknown.
  void AddDeviceSeconds(double seconds) {
    if (!(seconds > 0 && std::isfinite(seconds)))
      device_seconds_.reset();
    else if (device_seconds_)
      *device_seconds_ += seconds;
  }

  void PrepareCall(uint64_t index) {
    const double cpu = CpuSeconds();
    if (index == request_.poison_iteration) {
      Poison(tensors_, request_.poison_pattern);
      if (rebind_) rebind_();
    }
    if (request_.cold_bytes > 0) evictor_.Evict();
    off_clock_cpu_seconds_ += CpuSeconds() - cpu;
  }

  Plugin& plugin_;
  attest_plan* plan_;
  const protocol::Measure& request_;
  std::span<const attest_tensor> tensors_;
  const std::function<void()>& rebind_;
  CacheEvictor evictor_;
  int32_t mode_;
  Message message_;
  double wall_seconds_ = 0;
  std::optional<double> device_seconds_ = 0.;
  double off_clock_cpu_seconds_ = 0;
};

}  // namespace

protocol::MeasureReply MeasureRound(Plugin& plugin, attest_plan* plan,
                                    const protocol::Measure& request,
                                    std::span<const attest_tensor> tensors,
                                    const std::function<void()>& rebind) {
  try {
    const protocol::MeasureReply reply = Round(plugin, plan, request, tensors, rebind).Measure();
    plugin.RestoreFloatingPoint();
    return reply;
  } catch (...) {
    Control().phase = protocol::kIdle;
    plugin.RestoreFloatingPoint();
    throw;
  }
}

}  // namespace attest::worker
