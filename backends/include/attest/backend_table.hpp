// SPDX-License-Identifier: Apache-2.0
//
// How a class of backend.hpp becomes the table of abi.h: what it throws becomes a status and a
// message, its strings are kept as long as the interface promises. Included by backend.hpp; authors
// need not read it.
#ifndef ATTEST_BACKEND_TABLE_HPP_
#define ATTEST_BACKEND_TABLE_HPP_

#include <cstdio>
#include <cstring>

#include "attest/backend.hpp"

namespace attest {
namespace detail {

inline void Say(attest_message* message, const char* text) {
  if (message != nullptr && message->text != nullptr && message->capacity > 0)
    std::snprintf(message->text, message->capacity, "%s", text);
}

// Runs `body`; what it throws becomes a status and a message.
template <typename Body>
attest_status Guard(attest_message* message, Body&& body) noexcept {
  try {
    body();
    return ATTEST_OK;
  } catch (const Unsupported& error) {
    Say(message, error.what());
    return ATTEST_UNSUPPORTED;
  } catch (const DeviceError& error) {
    Say(message, error.what());
    return ATTEST_DEVICE_ERROR;
  } catch (const OutOfMemory& error) {
    Say(message, error.what());
    return ATTEST_OUT_OF_MEMORY;
  } catch (const std::bad_alloc&) {
    Say(message, "out of host memory");
    return ATTEST_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    Say(message, error.what());
  } catch (...) {
    Say(message, "an exception that is not a std::exception");
  }
  return ATTEST_INTERNAL_ERROR;
}

// Copies a struct into the caller's, no further than the caller knows it.
template <typename T>
void Fill(T* out, const T& value) {
  const uint64_t known = out->size < sizeof(T) ? out->size : sizeof(T);
  std::memcpy(reinterpret_cast<char*>(out) + sizeof(out->size),
              reinterpret_cast<const char*>(&value) + sizeof(out->size), known - sizeof(out->size));
}

// Table functions over the one instance of B. Strings handed out live in `kept`, for ever.
template <typename B>
struct Table {
  struct State {
    B backend;
    BackendInfo info;
    std::vector<Device> devices;
    std::vector<Variant> variants;
  };
  static State& Get() {
    static State* state = new State;  // never destroyed: libraries' own exit handlers may run first
    return *state;
  }
  struct PlanBox {
    std::unique_ptr<Plan> plan;
    PlanInfo info;
  };
  static PlanBox& Box(attest_plan* plan) { return *reinterpret_cast<PlanBox*>(plan); }
  static Request ToRequest(const attest_plan_request* request) {
    return {*request->problem, Tensors(request->tensors, request->tensor_count), request->variant};
  }

  static attest_status Configure(const attest_settings* settings, attest_message* message) {
    return Guard(message, [&] { Get().backend.Configure(*settings); });
  }
  static attest_status Info(attest_backend_info* out, attest_message* message) {
    return Guard(message, [&] {
      BackendInfo& info = Get().info = Get().backend.Info();
      Fill(out,
           {sizeof *out, info.library.c_str(), info.library_version.c_str(), info.runtime.c_str()});
    });
  }
  static attest_status DeviceCount(uint32_t* count, attest_message* message) {
    *count = 0;
    return Guard(message, [&] {
      if (Get().devices.empty()) Get().devices = Get().backend.Devices();
      *count = static_cast<uint32_t>(Get().devices.size());
    });
  }
  static attest_status DeviceInfo(uint32_t index, attest_device_info* out,
                                  attest_message* message) {
    return Guard(message, [&] {
      const Device& device = Get().devices.at(index);
      Fill(out, {sizeof *out, device.name.c_str(), device.driver.c_str(), device.kind, 0,
                 device.memory_bytes, device.extensions.c_str()});
    });
  }
  static attest_status VariantCount(uint32_t* count, attest_message* message) {
    *count = 0;
    return Guard(message, [&] {
      if (Get().variants.empty()) Get().variants = Get().backend.Variants();
      *count = static_cast<uint32_t>(Get().variants.size());
    });
  }
  static attest_status VariantInfo(uint32_t index, attest_variant_info* out,
                                   attest_message* message) {
    return Guard(message, [&] {
      const Variant& variant = Get().variants.at(index);
      const char* expected = variant.expected_implementations.c_str();
      Fill(out, {sizeof *out, variant.name.c_str(), variant.description.c_str(),
                 *expected ? expected : nullptr});
    });
  }
  static attest_status VariantContract(uint32_t variant, int32_t dtype, attest_contract* out,
                                       attest_message* message) {
    return Guard(message, [&] {
      const Contract contract = Get().backend.ContractOf(variant, dtype);
      Fill(out, {sizeof *out, contract.accumulate, contract.operands, contract.scores,
                 contract.probabilities, contract.exp_relative_error, contract.flags,
                 contract.projections});
    });
  }
  static attest_status Supports(const attest_plan_request* request, attest_message* message) {
    return Guard(message, [&] {
      if (auto reason = Get().backend.WhyUnsupported(ToRequest(request)))
        throw Unsupported(*reason);
    });
  }
  static attest_status PlanWorkspace(const attest_plan_request* request, uint64_t* host_bytes,
                                     uint64_t* device_bytes, attest_message* message) {
    return Guard(message, [&] {
      const Workspace workspace = Get().backend.WorkspaceOf(ToRequest(request));
      *host_bytes = workspace.host_bytes;
      *device_bytes = workspace.device_bytes;
    });
  }
  static attest_status PlanCreate(const attest_plan_request* request, attest_plan** plan,
                                  attest_message* message) {
    *plan = nullptr;
    return Guard(message, [&] {
      auto box = std::make_unique<PlanBox>();
      box->plan = Get().backend.Create(ToRequest(request));
      *plan = reinterpret_cast<attest_plan*>(box.release());
    });
  }
  static attest_status PlanBind(attest_plan* plan, const attest_tensor* const* tensors,
                                uint32_t count, attest_message* message) {
    return Guard(message, [&] { Box(plan).plan->Bind(Tensors(tensors, count)); });
  }
  static attest_status PlanRun(attest_plan* plan, attest_message* message) {
    return Guard(message, [&] { Box(plan).plan->Run(); });
  }
  static attest_status PlanSync(attest_plan* plan, attest_message* message) {
    return Guard(message, [&] { Box(plan).plan->Sync(); });
  }
  static attest_status PlanDownload(attest_plan* plan, attest_message* message) {
    return Guard(message, [&] { Box(plan).plan->Download(); });
  }
  static attest_status PlanInfoOf(attest_plan* plan, attest_plan_info* out,
                                  attest_message* message) {
    return Guard(message, [&] {
      PlanInfo& info = Box(plan).info = Box(plan).plan->Info();
      Fill(out,
           {sizeof *out, info.implementation.c_str(), info.workspace_bytes, info.device_bytes});
    });
  }
  static void PlanDestroy(attest_plan* plan) {
    (void)Guard(nullptr, [&] { delete reinterpret_cast<PlanBox*>(plan); });
  }
  static const void* GetExtension(const char* name) {
    const void* extension = nullptr;
    (void)Guard(nullptr, [&] { extension = Get().backend.Extension(name); });
    return extension;
  }
  // For extensions, whose functions get the opaque plan.
  static Plan& Unwrap(attest_plan* plan) { return *Box(plan).plan; }

  static const attest_backend* Entry(uint32_t host_abi_version) noexcept {
    if ((host_abi_version >> 16) != ATTEST_ABI_MAJOR) return nullptr;
    static const attest_backend table = {ATTEST_ABI_VERSION,
                                         sizeof(attest_backend),
                                         NameOf(),
                                         Configure,
                                         Info,
                                         DeviceCount,
                                         DeviceInfo,
                                         VariantCount,
                                         VariantInfo,
                                         VariantContract,
                                         Supports,
                                         PlanWorkspace,
                                         PlanCreate,
                                         PlanBind,
                                         PlanRun,
                                         PlanSync,
                                         PlanDownload,
                                         PlanInfoOf,
                                         PlanDestroy,
                                         GetExtension};
    return &table;
  }
  static const char* NameOf() { return B::kName; }
};

}  // namespace detail
}  // namespace attest

#endif  // ATTEST_BACKEND_TABLE_HPP_
