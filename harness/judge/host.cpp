// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/host.h"

#include <fmt/format.h>

namespace attest::judge {
namespace {

constexpr uint32_t kOutputIds = 1000;  // above every input's
constexpr double kStartSeconds = 60;   // to load a plugin: a driver's first start may compile

}  // namespace

protocol::Reply Host::AskAwake(const protocol::Request& request, std::span<const int> descriptors) {
  try {
    process_->Wake();
    const bool loading = std::holds_alternative<protocol::Load>(request);
    const double timeout =
        loading ? std::max(kStartSeconds, settings_.timeout_seconds) : settings_.timeout_seconds;
    protocol::Reply reply = process_->Ask(request, timeout, descriptors);
    process_->Sleep();
    return reply;
  } catch (const WorkerLost&) {
    process_.reset();
    attached_.clear();
    throw;
  }
}

// A backend that is a program of its own takes the place of attest-worker. One that cannot be
// started costs its own results only.
void Host::Start() {
  if (!IsWorkerProgram(path_)) {
    process_ = std::make_unique<WorkerProcess>(settings_.worker_path, settings_.environment);
    return;
  }
  try {
    process_ = std::make_unique<WorkerProcess>(path_, settings_.environment);
  } catch (const std::runtime_error& error) {
    throw WorkerLost(report::Verdict::kError, error.what());
  }
}

const protocol::Reply& Host::Load() {
  if (process_ != nullptr) return loaded_;
  Start();
  ++generation_;
  loaded_ = AskAwake(protocol::Load{path_, threads_, device_, settings_.cache_directory}, {});
  return loaded_;
}

void Host::Enter(const CellData& data) {
  Load();
  if (outputs_.empty())
    for (size_t i = 0; i < data.tensors.size(); ++i)
      if (IsOutput(data.tensors[i].role))
        outputs_.emplace_back(i, Buffer(BufferBytes(data.tensors[i])));
  if (!attached_.empty()) return;
  protocol::Attach attach;
  std::vector<int> descriptors;
  auto add = [&](uint32_t id, const Buffer& buffer, bool writable) {
    attach.buffers.push_back({id, buffer.bytes(), writable});
    descriptors.push_back(buffer.shareable());
  };
  for (const InputBuffer& input : data.inputs) add(input.id, input.buffer, false);
  for (const auto& [tensor, buffer] : outputs_)
    add(kOutputIds + static_cast<uint32_t>(tensor), buffer, true);
  const protocol::Reply reply = AskAwake(attach, descriptors);
  if (reply.status != "ok")
    throw WorkerLost(report::Verdict::kError, fmt::format("attaching tensors: {}", reply.message));
  for (const protocol::BufferSpec& buffer : attach.buffers) attached_.push_back(buffer.id);
}

void Host::Leave() {
  if (process_ != nullptr && !attached_.empty()) {
    try {
      (void)AskAwake(protocol::Detach{attached_}, {});
    } catch (const WorkerLost&) {  // the next cell starts a new one
    }
  }
  attached_.clear();
  outputs_.clear();
}

protocol::Reply Host::Ask(const protocol::Request& request, std::span<const int> descriptors) {
  if (process_ == nullptr) throw WorkerLost(report::Verdict::kError, "the worker is gone");
  return AskAwake(request, descriptors);
}

protocol::Binding Host::BindingOf(const CellData& data, int set, Alignment alignment) const {
  protocol::Binding binding = data.InputBinding(set, alignment);
  for (const auto& [tensor, buffer] : outputs_)
    binding.push_back(
        PlaceTensor(data.tensors[tensor], kOutputIds + static_cast<uint32_t>(tensor), alignment));
  return binding;
}

void Host::Poison(uint32_t pattern) {
  for (auto& [tensor, buffer] : outputs_) FillPoison(buffer, pattern);
}

std::vector<Output> Host::Outputs(const CellData& data, Alignment alignment) const {
  std::vector<Output> outputs;
  for (const auto& [tensor, buffer] : outputs_) {
    Output output{data.tensors[tensor], &buffer};
    const size_t offset = PlaceTensor(output.tensor, 0, alignment).offset_bytes;
    output.tensor.data = const_cast<std::byte*>(buffer.data()) + offset;
    outputs.push_back(output);
  }
  return outputs;
}

}  // namespace attest::judge
