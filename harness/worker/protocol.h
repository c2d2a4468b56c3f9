// SPDX-License-Identifier: Apache-2.0
//
// The worker protocol's messages as C++ types, and their JSON text. What they mean: PROTOCOL.md.
// Both sides of the socket use these; no other file of judge and worker sees JSON.
#ifndef ATTEST_HARNESS_WORKER_PROTOCOL_H_
#define ATTEST_HARNESS_WORKER_PROTOCOL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "attest/abi.h"

namespace attest::protocol {

inline constexpr int kVersion = 1;
inline constexpr size_t kMaxMessageBytes = 1 << 20;

// ---- requests (judge to worker) ----
struct Load {
  std::string path;  // the plugin; empty: a worker that measures the host's ceilings only
  uint32_t threads = 1;
  uint32_t device = 0;
  std::string cache_directory;
};
struct BufferSpec {
  uint32_t id = 0;
  uint64_t bytes = 0;  // a whole number of pages; its descriptor comes with the message, in order
  bool writable = false;
};
struct Attach {
  std::vector<BufferSpec> buffers;
};
struct Detach {
  std::vector<uint32_t> buffers;
};
struct Prepare {
  uint32_t plan = 0;
  uint32_t variant = 0;
  attest_problem problem{};
  std::vector<attest_tensor> tensors;  // descriptions, data = nullptr
  uint64_t host_bytes_limit = 0;       // refuse plans that need more workspace; 0 = no limit
};
struct Placement {  // one tensor in one buffer
  int32_t role = 0;
  uint32_t buffer = 0;
  uint64_t offset_bytes = 0;  // of the data in the buffer
  uint64_t margin_before_bytes = 0;
  uint64_t margin_after_bytes = 0;
};
using Binding = std::vector<Placement>;
struct Run {  // bind, run, sync, download: one checked call
  uint32_t plan = 0;
  Binding binding;
};
struct Measure {  // one round
  uint32_t plan = 0;
  Binding binding;
  uint64_t iterations = 1;
  uint64_t poison_iteration =
      0;  // before this call the outputs are filled with poison_pattern, off the clock
  uint32_t poison_pattern = 0;  // 32-bit pattern, repeated
  double cold_bytes =
      0;  // > 0: evict caches by reading that many bytes before each call, off the clock
  // Else untimed calls come before the timed ones, where these are several: one, or as many as take
  // so long.
  double warm_up_seconds = 0;
};
struct Release {
  uint32_t plan = 0;
};
struct Ceilings {
  uint64_t footprint_bytes = 0;
  // A key of CeilingsReply: one trial of that one alone, of the host; the others are then 0. "" =
  // the best of many trials of all.
  std::string figure;
  double seconds = 0.03;  // of a trial
};
struct Quit {};
using Request = std::variant<Load, Attach, Detach, Prepare, Run, Measure, Release, Ceilings, Quit>;

// ---- replies (worker to judge) ----
struct DeviceReply {
  std::string name, driver, kind;  // kind: cpu, gpu, accelerator
  uint64_t memory_bytes = 0;
  std::string extensions;  // separated by spaces
};
struct ContractReply {
  int32_t dtype = 0;
  attest_contract contract{};
};
struct VariantReply {
  std::string name, description, expected_implementations;
  std::vector<ContractReply> contracts;
};
struct LoadReply {
  uint32_t abi_version = 0;
  std::string backend, library, library_version, runtime;
  std::vector<DeviceReply> devices;
  std::vector<VariantReply> variants;
  std::string floating_point_environment;  // "unchanged", or what loading had changed ("restored:
                                           // flush-to-zero")
  bool device_timer = false;
};
struct PrepareReply {
  uint64_t workspace_bytes = 0, device_bytes = 0;
  double setup_seconds = 0;
  std::string implementation;
};
struct RunReply {
  double seconds = 0;
  uint64_t peak_memory_bytes =
      0;  // of the worker, shared tensors not counted, since the plan's preparation
  uint64_t workspace_bytes = 0, device_bytes = 0;
  std::string implementation;
  std::string floating_point_environment;  // as in LoadReply, for this plan's calls up to now
};
struct MeasureReply {
  uint64_t iterations = 0;
  double seconds_per_call = 0;       // mean over the round, the timer's
  double wall_seconds_per_call = 0;  // the same by the wall clock
  double cpu_seconds_per_call = 0;   // of the whole process
  double min_seconds = 0, max_seconds = 0;
  std::string timer;                                          // "wall" or "device"
  uint64_t involuntary_switches = 0, voluntary_switches = 0;  // of the round, all threads
  double device_seconds_per_call = 0;  // mean by the device's own clock; 0 = it has none
};
struct CeilingsReply {
  uint32_t threads = 0;
  std::string isa;  // of the loops that measured
  double f32_fma_flops = 0, bf16_dot_flops = 0, read_bytes_per_second = 0;
};
struct Done {};
using Body = std::variant<Done, LoadReply, PrepareReply, RunReply, MeasureReply, CeilingsReply>;

struct Reply {
  // "ok", or "unsupported", "unavailable", "rejected", "out_of_memory", "device_error",
  // "internal_error", "protocol_error"
  std::string status = "ok";
  std::string message;  // empty when ok
  Body body;
};

// JSON text of one message (no newline), and back. Decoding throws std::invalid_argument naming the
// field.
std::string Encode(uint64_t id, const Request& request);
std::string Encode(uint64_t id, const Reply& reply);
Request DecodeRequest(std::string_view text, uint64_t* id);
Reply DecodeReply(std::string_view text, uint64_t* id);

// The shared control page: what the worker is doing, readable after its death.
struct ControlPage {
  uint32_t phase;     // Phase
  uint32_t signal;    // set by the crash handler; 0 = none
  uint64_t address;   // fault address
  uint32_t is_write;  // of the fault: 1 write, 0 read, 2 unknown
  uint32_t calls;     // plan_run calls so far, all plans
};
enum Phase : uint32_t {
  kIdle = 0,
  kDlopen,
  kEntry,
  kConfigure,
  kBackendInfo,
  kDeviceCount,
  kVariantInfo,
  kSupports,
  kPlanWorkspace,
  kPlanCreate,
  kPlanBind,
  kPlanRun,
  kPlanSync,
  kPlanDownload,
  kPlanInfo,
  kPlanDestroy,
  kCeiling,
  kPhaseCount
};
std::string_view PhaseName(uint32_t phase);  // "plan_run", ...

}  // namespace attest::protocol

#endif  // ATTEST_HARNESS_WORKER_PROTOCOL_H_
