// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/ceilings.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace attest::judge {
namespace {

constexpr double kTimeoutSeconds = 60;

// All of them, in trials no longer than a round.
protocol::Ceilings AskFor(const Settings& settings, uint64_t footprint_bytes) {
  protocol::Ceilings request{footprint_bytes};
  request.seconds = std::min(request.seconds, settings.min_time_seconds);
  return request;
}

std::optional<report::Ceiling> CeilingFrom(const std::string& name, const protocol::Reply& reply,
                                           uint64_t footprint_bytes) {
  if (reply.status != "ok") return std::nullopt;
  const auto& body = std::get<protocol::CeilingsReply>(reply.body);
  report::Ceiling ceiling;
  ceiling.name = name;
  ceiling.threads = static_cast<int>(body.threads);
  ceiling.isa = body.isa;
  ceiling.f32_fma_flops = body.f32_fma_flops;
  ceiling.bf16_dot_flops = body.bf16_dot_flops;
  ceiling.read_bytes_per_second = body.read_bytes_per_second;
  ceiling.footprint_bytes = footprint_bytes;
  return ceiling;
}

}  // namespace

std::string DeviceLabel(const Contender& contender) {
  return ResultLabel(contender.backend, "", contender.host->device());
}

std::string CpuCeilingName(const Settings& settings, unsigned threads) {
  return threads == settings.threads ? "cpu" : fmt::format("cpu/{}t", threads);
}

std::optional<report::Ceiling> MeasureCpuCeiling(const Settings& settings, const std::string& name,
                                                 unsigned threads, uint64_t footprint_bytes) {
  try {
    WorkerProcess worker(settings.worker_path);
    if (worker.Ask(protocol::Load{"", threads, 0, ""}, kTimeoutSeconds).status != "ok")
      return std::nullopt;
    return CeilingFrom(name, worker.Ask(AskFor(settings, footprint_bytes), kTimeoutSeconds),
                       footprint_bytes);
  } catch (const WorkerLost&) {  // then fractions of the ceiling are absent
    return std::nullopt;
  }
}

void RaiseCpuCeilings(const Settings& settings, std::vector<report::Ceiling>& ceilings) {
  for (report::Ceiling& known : ceilings) {
    if (known.name != "cpu" && known.name.rfind("cpu/", 0) != 0) continue;
    const auto threads = static_cast<unsigned>(known.threads);
    const auto again = MeasureCpuCeiling(settings, known.name, threads, known.footprint_bytes);
    if (!again) continue;
    for (const auto figure : {&report::Ceiling::f32_fma_flops, &report::Ceiling::bf16_dot_flops,
                              &report::Ceiling::read_bytes_per_second})
      known.*figure = std::max(known.*figure, (*again).*figure);
  }
}

std::vector<report::Ceiling> MeasureCeilings(const Settings& settings, Field& field) {
  std::vector<report::Ceiling> ceilings;
  std::vector<unsigned> counts = {settings.threads};
  counts.insert(counts.end(), settings.fewer_threads.begin(), settings.fewer_threads.end());
  for (const unsigned threads : counts)
    if (auto cpu = MeasureCpuCeiling(settings, CpuCeilingName(settings, threads), threads,
                                     settings.ceiling_bytes))
      ceilings.push_back(*cpu);
  std::set<std::string> asked;
  for (Contender& contender : field.contenders) {
    const std::string label = DeviceLabel(contender);
    if (contender.device_kind == "cpu" || !asked.insert(label).second) continue;
    try {
      contender.host->Load();
      const protocol::Reply reply = contender.host->Ask(AskFor(settings, settings.ceiling_bytes));
      if (auto ceiling = CeilingFrom(label, reply, settings.ceiling_bytes))
        ceilings.push_back(*ceiling);
    } catch (const WorkerLost&) {
    }
  }
  return ceilings;
}

}  // namespace attest::judge
