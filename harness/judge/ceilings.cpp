// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/ceilings.h"

#include <set>

namespace attest::judge {
namespace {

constexpr double kTimeoutSeconds = 60;
constexpr uint64_t kFootprintBytes = uint64_t{512} << 20;  // beyond every last-level cache but a few servers'

void Add(const std::string& name, const protocol::Reply& reply, std::vector<report::Ceiling>& ceilings) {
  if (reply.status != "ok") return;
  const auto& body = std::get<protocol::CeilingsReply>(reply.body);
  report::Ceiling ceiling;
  ceiling.name = name;
  ceiling.threads = static_cast<int>(body.threads);
  ceiling.isa = body.isa;
  ceiling.f32_fma_flops = body.f32_fma_flops;
  ceiling.bf16_dot_flops = body.bf16_dot_flops;
  ceiling.read_bytes_per_second = body.read_bytes_per_second;
  ceiling.footprint_bytes = kFootprintBytes;
  ceilings.push_back(ceiling);
}

}  // namespace

std::string DeviceLabel(const Contender& contender) {
  return ResultLabel(contender.backend, "", contender.host->device());
}

std::vector<report::Ceiling> MeasureCeilings(const Settings& settings, Field& field) {
  std::vector<report::Ceiling> ceilings;
  try {
    WorkerProcess worker(settings.worker_path);
    if (worker.Ask(protocol::Load{"", settings.threads, 0, ""}, kTimeoutSeconds).status == "ok")
      Add("cpu", worker.Ask(protocol::Ceilings{kFootprintBytes}, kTimeoutSeconds), ceilings);
  } catch (const WorkerLost&) {  // then fractions of the ceiling are absent
  }
  std::set<std::string> asked;
  for (Contender& contender : field.contenders) {
    if (contender.device_kind == "cpu" || !asked.insert(DeviceLabel(contender)).second) continue;
    try {
      contender.host->Load();
      Add(DeviceLabel(contender), contender.host->Ask(protocol::Ceilings{kFootprintBytes}), ceilings);
    } catch (const WorkerLost&) {
    }
  }
  return ceilings;
}

}  // namespace attest::judge
