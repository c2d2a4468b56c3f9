// SPDX-License-Identifier: Apache-2.0
//
// Asking a plugin what it is. Everything it says is checked here once, so that the rest of the
// harness can believe it.
#include "harness/worker/plugin.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "harness/core/names.h"
#include "reference/oracle.h"

namespace attest::worker {
namespace {

[[noreturn]] void Reject(const std::string& reason) { throw Refusal("rejected", reason); }

std::string TextOf(const char* text) { return text == nullptr ? "" : text; }

bool IsName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string KindName(int32_t kind) {
  switch (kind) {
    case ATTEST_DEVICE_CPU:
      return "cpu";
    case ATTEST_DEVICE_GPU:
      return "gpu";
    case ATTEST_DEVICE_ACCELERATOR:
      return "accelerator";
  }
  Reject(fmt::format("device_info names the unknown device kind {}", kind));
}

// One device is the worker's; a backend without it is not an error of the backend.
template <typename Function>
void AsUnavailable(Function&& function) {
  try {
    function();
  } catch (const Refusal& refusal) {
    if (refusal.status() != "unsupported") throw;
    throw Refusal("unavailable", refusal.what());
  }
}

void CheckVariants(const std::vector<protocol::VariantReply>& variants) {
  for (size_t i = 0; i < variants.size(); ++i) {
    const std::string& name = variants[i].name;
    if (!IsName(name) && !(name.empty() && variants.size() == 1))
      Reject(fmt::format("variant {} has the name '{}': names are [a-z0-9_]+", i, name));
    if (i > 0 && name <= variants[i - 1].name)
      Reject(fmt::format("variants are not in alphabetical order: '{}' after '{}'", name,
                         variants[i - 1].name));
    if (variants[i].contracts.empty())
      Reject(fmt::format("variant '{}' has a contract for no io type", name));
  }
}

void CheckContract(const attest_contract& contract, int32_t dtype, const std::string& variant) {
  try {
    (void)reference::RoundingOf(contract, dtype, ATTEST_OP_SELF_ATTENTION);
    for (int32_t format : {contract.accumulate, contract.operands, contract.scores,
                           contract.probabilities, contract.projections})
      (void)FormatName(format);
  } catch (const std::invalid_argument& error) {
    Reject(fmt::format("contract of variant '{}' for {}: {}", variant, DtypeName(dtype),
                       error.what()));
  }
}

}  // namespace

std::string Message::Text() const { return std::string(text_, strnlen(text_, sizeof text_)); }

void CheckStatus(attest_status status, const Message& message, std::string_view function) {
  if (status == ATTEST_OK) return;
  constexpr std::array<const char*, 5> kWords = {"ok", "unsupported", "out_of_memory",
                                                 "device_error", "internal_error"};
  if (status < 0 || static_cast<size_t>(status) >= kWords.size())
    throw Refusal("internal_error",
                  fmt::format("{} returned the unknown status {}", function, status));
  std::string text = message.Text();
  if (text.empty()) text = fmt::format("{} failed and gave no message", function);
  throw Refusal(kWords[status], text);
}

void RefuseException(std::string_view function) {
  try {
    throw;
  } catch (const std::exception& error) {
    throw Refusal("internal_error", fmt::format("{} threw: {}", function, error.what()));
  } catch (...) {
    throw Refusal("internal_error",
                  fmt::format("{} threw something that is no std::exception", function));
  }
}

Plugin::Plugin(const protocol::Load& load) : cache_directory_(load.cache_directory) {
  // For libraries that read it when they are opened.
  setenv("OMP_NUM_THREADS", std::to_string(load.threads).c_str(), 1);
  try {
    table_ = OpenTable(load.path);
  } catch (...) {
    guard_.Restore();
    throw;
  }
  guard_.Restore();
  if (!IsName(TextOf(table_.name)))
    Reject(fmt::format("its name is '{}': names are [a-z0-9_]+", TextOf(table_.name)));
  AsUnavailable([&] { Configure(load); });
  Describe();
  const size_t devices = description_.devices.size();
  if (load.device >= devices)
    throw Refusal("unavailable",
                  fmt::format("device {} of {} was asked for", load.device, devices));
  FindExtensions();
  description_.floating_point_environment = guard_.Report();
}

void Plugin::Configure(const protocol::Load& load) {
  attest_settings settings{sizeof settings, load.threads, load.device, nullptr};
  if (!cache_directory_.empty()) settings.cache_directory = cache_directory_.c_str();
  Call(protocol::kConfigure, [&](auto* m) { return table_.configure(&settings, m); });
}

void Plugin::Describe() {
  description_.abi_version = table_.abi_version;
  description_.backend = table_.name;
  attest_backend_info info{};
  info.size = sizeof info;
  Call(protocol::kBackendInfo, [&](auto* m) { return table_.backend_info(&info, m); });
  description_.library = TextOf(info.library);
  description_.library_version = TextOf(info.library_version);
  description_.runtime = TextOf(info.runtime);
  AsUnavailable([&] { DescribeDevices(); });
  uint32_t count = 0;
  Call(protocol::kVariantInfo, [&](auto* m) { return table_.variant_count(&count, m); });
  if (count == 0) Reject("it has no variants");
  for (uint32_t i = 0; i < count; ++i) description_.variants.push_back(DescribeVariant(i));
  CheckVariants(description_.variants);
}

void Plugin::DescribeDevices() {
  uint32_t count = 0;
  Call(protocol::kDeviceCount, [&](auto* m) { return table_.device_count(&count, m); });
  if (count == 0) throw Refusal("unavailable", "it finds no device");
  for (uint32_t i = 0; i < count; ++i) {
    attest_device_info info{};
    info.size = sizeof info;
    Call(protocol::kDeviceCount, [&](auto* m) { return table_.device_info(i, &info, m); });
    description_.devices.push_back({TextOf(info.name), TextOf(info.driver), KindName(info.kind),
                                    info.memory_bytes, TextOf(info.extensions)});
  }
}

protocol::VariantReply Plugin::DescribeVariant(uint32_t index) {
  attest_variant_info info{};
  info.size = sizeof info;
  Call(protocol::kVariantInfo, [&](auto* m) { return table_.variant_info(index, &info, m); });
  protocol::VariantReply variant{
      TextOf(info.name), TextOf(info.description), TextOf(info.expected_implementations), {}};
  for (int32_t dtype : {ATTEST_F32, ATTEST_F16, ATTEST_BF16, ATTEST_F64}) {
    attest_contract contract{};
    contract.size = sizeof contract;
    try {
      Call(protocol::kVariantInfo,
           [&](auto* m) { return table_.variant_contract(index, dtype, &contract, m); });
    } catch (const Refusal& refusal) {
      if (refusal.status() == "unsupported") continue;
      throw;
    }
    contract.size = sizeof contract;
    CheckContract(contract, dtype, variant.name);
    variant.contracts.push_back({dtype, contract});
  }
  return variant;
}

void Plugin::FindExtensions() {
  if (table_.get_extension == nullptr) return;
  const auto find = [&](const char* name) {
    const void* extension = nullptr;
    Call(protocol::kBackendInfo, [&](auto*) {
      extension = table_.get_extension(name);
      return ATTEST_OK;
    });
    return extension;
  };
  timer_ = static_cast<const attest_timer*>(find(ATTEST_TIMER_EXTENSION));
  if (timer_ &&
      (timer_->size < offsetof(attest_timer, last_seconds) || !timer_->modes || !timer_->run))
    Reject("its " ATTEST_TIMER_EXTENSION " is incomplete");
  if (timer_ && timer_->size >= sizeof *timer_) last_seconds_ = timer_->last_seconds;
  ceiling_ = static_cast<const attest_ceiling*>(find(ATTEST_CEILING_EXTENSION));
  if (ceiling_ && (ceiling_->size < sizeof *ceiling_ || !ceiling_->measure))
    Reject("its " ATTEST_CEILING_EXTENSION " is incomplete");
  description_.device_timer = timer_ != nullptr;
}

}  // namespace attest::worker
