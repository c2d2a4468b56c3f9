// SPDX-License-Identifier: Apache-2.0
//
// C++ side of the plugin interface: derive from Backend and Plan, write ATTEST_BACKEND(YourBackend)
// once, and the table of abi.h is filled in; exceptions become statuses. Header only, no dependency
// but the standard library. A worked example: backends/naive/naive.cpp.
#ifndef ATTEST_BACKEND_HPP_
#define ATTEST_BACKEND_HPP_

#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "attest/abi.h"

namespace attest {

using Tensors = std::span<const attest_tensor* const>;

// Thrown by a backend to say "not here, and why" (status UNSUPPORTED).
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// A driver or device call failed; the text holds the call and the driver's words (status
// DEVICE_ERROR).
struct DeviceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The message gives the bytes needed (status OUT_OF_MEMORY, as is std::bad_alloc).
struct OutOfMemory : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The tensor of that role, or nullptr.
inline const attest_tensor* FindTensor(Tensors tensors, int32_t role) {
  for (const attest_tensor* tensor : tensors)
    if (tensor != nullptr && tensor->role == role) return tensor;
  return nullptr;
}

// The tensor of that role. Throws std::invalid_argument where it is missing.
inline const attest_tensor& GetTensor(Tensors tensors, int32_t role) {
  const attest_tensor* tensor = FindTensor(tensors, role);
  if (tensor == nullptr) throw std::invalid_argument("no tensor of role " + std::to_string(role));
  return *tensor;
}

// A request with C++ types. The references live as long as the call that received it.
struct Request {
  const attest_problem& problem;
  Tensors tensors;
  uint32_t variant;
};

struct Contract {
  int32_t accumulate = ATTEST_FORMAT_F32;
  int32_t operands = ATTEST_FORMAT_NONE;
  int32_t scores = ATTEST_FORMAT_NONE;
  int32_t probabilities = ATTEST_FORMAT_NONE;
  double exp_relative_error = 0;
  uint32_t flags = 0;
  int32_t projections = ATTEST_FORMAT_NONE;
};

struct Device {
  std::string name;
  std::string driver;
  int32_t kind = ATTEST_DEVICE_CPU;
  uint64_t memory_bytes = 0;
  std::string extensions;  // separated by spaces
};

struct Variant {
  std::string name;
  std::string description;
  std::string expected_implementations;  // '|'-separated; empty = any
};

struct BackendInfo {
  std::string library;
  std::string library_version;
  std::string runtime;
};

struct PlanInfo {
  std::string implementation;
  uint64_t workspace_bytes = 0;
  uint64_t device_bytes = 0;
};

struct Workspace {
  uint64_t host_bytes = 0;
  uint64_t device_bytes = 0;
};

// One problem on one variant. The functions are those of abi.h, with its phases.
class Plan {
 public:
  virtual ~Plan() = default;
  virtual void Bind(Tensors tensors) = 0;
  virtual void Run() = 0;
  virtual void Sync() {}
  virtual void Download() {}
  virtual PlanInfo Info() = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual void Configure(const attest_settings& settings) { (void)settings; }
  virtual BackendInfo Info() = 0;
  // Throw Unsupported where the backend is not available on this machine.
  virtual std::vector<Device> Devices() { return {{"CPU", "host", ATTEST_DEVICE_CPU, 0}}; }
  virtual std::vector<Variant> Variants() = 0;                       // alphabetical
  virtual Contract ContractOf(uint32_t variant, int32_t dtype) = 0;  // throws Unsupported
  virtual std::optional<std::string> WhyUnsupported(const Request& request) = 0;
  virtual Workspace WorkspaceOf(const Request& request) = 0;
  virtual std::unique_ptr<Plan> Create(const Request& request) = 0;
  virtual const void* Extension(const char* name) {
    (void)name;
    return nullptr;
  }
};

}  // namespace attest

#include "attest/backend_table.hpp"  // behind the classes it turns into a table

// Defines the plugin's one exported symbol for class B, which has `static constexpr const char*
// kName`.
#define ATTEST_BACKEND(B)                                                                          \
  extern "C" ATTEST_EXPORT const attest_backend* attest_backend_entry(uint32_t host_abi_version) { \
    return attest::detail::Table<B>::Entry(host_abi_version);                                      \
  }

#endif  // ATTEST_BACKEND_HPP_
