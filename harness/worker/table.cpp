// SPDX-License-Identifier: Apache-2.0
//
// From a file to a checked table of functions. What each rule is for: abi.h.
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "harness/worker/plugin.h"

namespace attest::worker {
namespace {

[[noreturn]] void Reject(const std::string& reason) { throw Refusal("rejected", reason); }

std::string Version(uint32_t version) {
  return fmt::format("{}.{}", version >> 16, version & 0xffff);
}

// Before the file is opened: its constructors would already run instructions that the CPU lacks.
void CheckIsaLevel(const std::string& path) {
#if defined(__x86_64__)
  const auto is_level = [&](std::string_view level) {
    return path.find(fmt::format(".{}.so", level)) != std::string::npos;
  };
  __builtin_cpu_init();
  const bool lacks = (is_level("x86-64-v4") && !__builtin_cpu_supports("x86-64-v4")) ||
                     (is_level("x86-64-v3") && !__builtin_cpu_supports("x86-64-v3")) ||
                     (is_level("x86-64-v2") && !__builtin_cpu_supports("x86-64-v2"));
  if (lacks) Reject("built for an instruction set level that this CPU does not have");
#else
  (void)path;
#endif
}

void* Open(const std::string& path) {
  PhaseScope scope(protocol::kDlopen);
  try {
    if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  } catch (...) {
    RefuseException("dlopen");
  }
  const char* error = dlerror();
  Reject(fmt::format("not a loadable library: {}", error ? error : "dlopen says nothing"));
}

const attest_backend* Enter(void* library) {
  void* symbol = dlsym(library, ATTEST_ENTRY_SYMBOL);
  if (symbol == nullptr) Reject("missing symbol " ATTEST_ENTRY_SYMBOL);
  const auto entry = reinterpret_cast<attest_backend_entry_fn>(symbol);
  PhaseScope scope(protocol::kEntry);
  try {
    return entry(ATTEST_ABI_VERSION);
  } catch (...) {
    RefuseException(ATTEST_ENTRY_SYMBOL);
  }
}

// The table as far as both sides know it; version and size are at the same place in all versions.
attest_backend CopyTable(const attest_backend* table) {
  if (table == nullptr)
    Reject(fmt::format("plugin cannot serve host ABI {}", Version(ATTEST_ABI_VERSION)));
  if ((table->abi_version >> 16) != ATTEST_ABI_MAJOR)
    Reject(fmt::format("built for ABI {}, host has {}", Version(table->abi_version),
                       Version(ATTEST_ABI_VERSION)));
  // get_extension is optional, so a table may end before it.
  constexpr uint32_t kLeast = offsetof(attest_backend, get_extension);
  if (table->size < kLeast)
    Reject(fmt::format("its table says it has {} bytes, ABI {} has at least {}", table->size,
                       Version(table->abi_version), kLeast));
  attest_backend copy{};
  std::memcpy(&copy, table, std::min<size_t>(table->size, sizeof copy));
  return copy;
}

void CheckFunctions(const attest_backend& table) {
  const std::pair<bool, const char*> functions[] = {{table.configure, "configure"},
                                                    {table.backend_info, "backend_info"},
                                                    {table.device_count, "device_count"},
                                                    {table.device_info, "device_info"},
                                                    {table.variant_count, "variant_count"},
                                                    {table.variant_info, "variant_info"},
                                                    {table.variant_contract, "variant_contract"},
                                                    {table.supports, "supports"},
                                                    {table.plan_workspace, "plan_workspace"},
                                                    {table.plan_create, "plan_create"},
                                                    {table.plan_bind, "plan_bind"},
                                                    {table.plan_run, "plan_run"},
                                                    {table.plan_sync, "plan_sync"},
                                                    {table.plan_download, "plan_download"},
                                                    {table.plan_info, "plan_info"},
                                                    {table.plan_destroy, "plan_destroy"}};
  std::string missing;
  for (const auto& [is_there, name] : functions)
    if (!is_there) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", name);
  if (!missing.empty()) Reject("missing functions: " + missing);
}

}  // namespace

attest_backend OpenTable(const std::string& path) {
  CheckIsaLevel(path);
  const attest_backend table = CopyTable(Enter(Open(path)));
  CheckFunctions(table);
  return table;
}

}  // namespace attest::worker
