// SPDX-License-Identifier: Apache-2.0
//
// The few functions of NVML that a report needs, with the C types of its reference manual (NVIDIA
// Management Library, "Device Queries"): nvmlReturn_t and the enums are int, 0 is success, a device
// is an opaque pointer.
#include "harness/report/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <stdexcept>

namespace attest::report {
namespace {

using Handle = void*;
struct Memory {
  unsigned long long total, free, used;  // bytes
};
constexpr int kStreamingMultiprocessors = 1, kMemory = 2;  // nvmlClockType_t
constexpr int kGpuCore = 0;                                // nvmlTemperatureSensors_t
constexpr unsigned kTextBytes = 96;  // NVML_DEVICE_NAME_V2_BUFFER_SIZE, the largest of them

// The open library, between nvmlInit and nvmlShutdown.
class Nvml {
 public:
  // Throws std::runtime_error where it cannot be opened or started.
  explicit Nvml(const std::string& library) : handle_(dlopen(library.c_str(), RTLD_NOW)) {
    if (!handle_) throw std::runtime_error(dlerror());
    const int status = Call("nvmlInit_v2");
    if (status != 0) throw std::runtime_error("nvmlInit: " + Explain(status));
  }
  ~Nvml() { Call("nvmlShutdown"); }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  // The function's status; -1 where this version of the library lacks it.
  template <typename... Arguments>
  int Call(const char* function, Arguments... arguments) const {
    const auto call = reinterpret_cast<int (*)(Arguments...)>(dlsym(handle_.get(), function));
    return call ? call(arguments...) : -1;
  }

  template <typename... Arguments>
  std::string Text(const char* function, Arguments... before) const {
    char text[kTextBytes] = "";
    return Call(function, before..., static_cast<char*>(text), kTextBytes) == 0 ? text : "";
  }

  // A number that the function writes through its last argument.
  template <typename... Arguments>
  std::optional<unsigned> Number(const char* function, Arguments... before) const {
    unsigned value = 0;
    if (Call(function, before..., &value) != 0) return std::nullopt;
    return value;
  }

  // The current one of a mode's two states, the current and the pending.
  std::optional<bool> Mode(const char* function, Handle device) const {
    unsigned current = 0, pending = 0;
    if (Call(function, device, &current, &pending) != 0) return std::nullopt;
    return current != 0;
  }

 private:
  std::string Explain(int status) const {
    const auto text =
        reinterpret_cast<const char* (*)(int)>(dlsym(handle_.get(), "nvmlErrorString"));
    return text ? text(status) : fmt::format("status {}", status);
  }

  struct Close {
    void operator()(void* handle) const { dlclose(handle); }
  };
  std::unique_ptr<void, Close> handle_;
};

std::optional<double> Scaled(std::optional<unsigned> value, double factor) {
  if (!value) return std::nullopt;
  return *value * factor;
}

Gpu Describe(const Nvml& nvml, Handle device, const std::string& driver) {
  constexpr double kMilliwatt = 1e-3, kMegahertz = 1e6;
  Gpu gpu;
  gpu.name = nvml.Text("nvmlDeviceGetName", device);
  gpu.driver = driver;
  Memory memory{};
  if (nvml.Call("nvmlDeviceGetMemoryInfo", device, &memory) == 0) gpu.memory_bytes = memory.total;
  const auto clock = [&](const char* function, int type) {
    return Scaled(nvml.Number(function, device, type), kMegahertz);
  };
  gpu.power_cap_watts =
      Scaled(nvml.Number("nvmlDeviceGetPowerManagementLimit", device), kMilliwatt);
  gpu.power_watts = Scaled(nvml.Number("nvmlDeviceGetPowerUsage", device), kMilliwatt);
  gpu.temperature_celsius = Scaled(nvml.Number("nvmlDeviceGetTemperature", device, kGpuCore), 1);
  gpu.sm_clock_hertz = clock("nvmlDeviceGetClockInfo", kStreamingMultiprocessors);
  gpu.sm_clock_max_hertz = clock("nvmlDeviceGetMaxClockInfo", kStreamingMultiprocessors);
  gpu.memory_clock_hertz = clock("nvmlDeviceGetClockInfo", kMemory);
  gpu.ecc = nvml.Mode("nvmlDeviceGetEccMode", device);
  gpu.mig = nvml.Mode("nvmlDeviceGetMigMode", device);
  return gpu;
}

}  // namespace

NvmlReading ReadNvml(const std::string& library) {
  NvmlReading reading;
  try {
    const Nvml nvml(library);
    reading.version = nvml.Text("nvmlSystemGetNVMLVersion");
    const std::string driver = nvml.Text("nvmlSystemGetDriverVersion");
    const unsigned count = nvml.Number("nvmlDeviceGetCount_v2").value_or(0);
    for (unsigned i = 0; i < count; ++i) {
      Handle device = nullptr;
      if (nvml.Call("nvmlDeviceGetHandleByIndex_v2", i, &device) == 0)
        reading.gpus.push_back(Describe(nvml, device, driver));
    }
  } catch (const std::runtime_error& error) {
    reading.reason = error.what();
  }
  return reading;
}

}  // namespace attest::report
