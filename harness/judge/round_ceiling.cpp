// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/round_ceiling.h"

#include <utility>

#include "harness/report/statistics.h"

namespace attest::judge {
namespace {

constexpr double kTimeoutSeconds = 60;

double FigureOf(const protocol::CeilingsReply& reply, const std::string& figure) {
  if (figure == report::kReadFigure) return reply.read_bytes_per_second;
  return figure == report::kDotFigure ? reply.bf16_dot_flops : reply.f32_fma_flops;
}

}  // namespace

RoundCeiling::RoundCeiling(const Settings& settings) : settings_(settings) {}

bool RoundCeiling::Start() {
  if (worker_ && worker_->alive()) return true;
  worker_ = std::make_unique<WorkerProcess>(settings_.worker_path);
  const protocol::Load load{"", settings_.threads, 0, ""};
  return worker_->Ask(load, kTimeoutSeconds).status == "ok";
}

void RoundCeiling::Begin(const report::CellRecord& cell, const report::Ceiling* cpu) {
  now_.reset();
  if (cpu == nullptr) return;
  now_.emplace();
  now_->threads = static_cast<int>(settings_.threads);
  now_->figure = report::LimitingFigure(cell, *cpu);
  if (now_->figure != report::kReadFigure) return;
  now_->footprint_bytes = cpu->footprint_bytes;
  const auto bytes = static_cast<uint64_t>(cell.bytes_min);
  if (settings_.cold_cache || bytes >= cpu->footprint_bytes) return;
  // What is read again and again from a cache is held against reads from that cache, and where
  // those are fast enough, arithmetic is the limit after all.
  now_->footprint_bytes = bytes;
  const std::optional<double> rate = Measure();
  if (!rate) return now_.reset();
  report::Ceiling cached = *cpu;
  cached.read_bytes_per_second = *rate;
  now_->figure = report::LimitingFigure(cell, cached);
  if (now_->figure != report::kReadFigure) now_->footprint_bytes = 0;
}

bool RoundCeiling::IsOfReads() const { return now_ && now_->figure == report::kReadFigure; }

std::optional<double> RoundCeiling::Measure() {
  try {
    if (!Start()) return std::nullopt;
    const protocol::Reply reply = worker_->Ask(
        protocol::Ceilings{now_->footprint_bytes, now_->figure, settings_.min_time_seconds},
        kTimeoutSeconds);
    if (reply.status != "ok") return std::nullopt;
    return FigureOf(std::get<protocol::CeilingsReply>(reply.body), now_->figure);
  } catch (const WorkerLost&) {
    return std::nullopt;
  }
}

void RoundCeiling::Sample() {
  if (!now_) return;
  if (const std::optional<double> rate = Measure())
    now_->samples.push_back(*rate);
  else
    now_.reset();
}

std::optional<report::RoundCeiling> RoundCeiling::End() {
  if (!now_ || now_->samples.empty()) return std::nullopt;
  now_->median = report::Median(now_->samples);
  return std::exchange(now_, std::nullopt);
}

}  // namespace attest::judge
