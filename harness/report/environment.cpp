// SPDX-License-Identifier: Apache-2.0
//
// Linux: /proc, /sys and /etc; hwloc's part is in topology.cpp, control groups in cgroup.cpp.
#include "harness/report/environment.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness/core/words.h"
#include "harness/report/nvml.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace attest::report {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIsaOfInterest[] = {
    "sse4_2",   "avx",      "avx2",     "fma",         "f16c",        "avx_vnni",    "avx512f",
    "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile",
    "amx_bf16", "amx_int8", "amx_fp16", "asimd",       "asimdhp",     "asimddp",     "bf16",
    "i8mm",     "sve",      "sve2",     "sme"};

std::string ReadText(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string FirstLine(const fs::path& path) {
  const std::string text = ReadText(path);
  return text.substr(0, text.find('\n'));
}

std::string Trim(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t\r");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

// "key : value" lines; calls visit(key, value).
template <class Visit>
void ForEachPair(std::string_view text, Visit visit) {
  for (const std::string& line : Split(text, '\n'))
    if (const size_t colon = line.find(':'); colon != std::string::npos)
      visit(Trim(line.substr(0, colon)), Trim(line.substr(colon + 1)));
}

std::string Lower(std::string text) {
  for (char& letter : text)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  return text;
}

// Words of a model's name that tell nothing: "(R)", "CPU", "@ 2.70GHz", "64-Core", ...
bool IsTelling(const std::string& word) {
  static constexpr std::string_view kEmpty[] = {"cpu",    "processor", "with",
                                                "radeon", "graphics",  "@"};
  const bool clock = word.size() > 3 && word.ends_with("ghz");
  return !clock && !word.ends_with("-core") &&
         std::find(std::begin(kEmpty), std::end(kEmpty), word) == std::end(kEmpty);
}

std::string WithoutMarks(std::string text) {
  for (const std::string_view mark : {"(r)", "(tm)", "(c)"})
    for (size_t at; (at = text.find(mark)) != std::string::npos;)
      std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(at), mark.size(), ' ');
  return text;
}

// What is written in a slug: letters, digits and single dashes.
std::string Dashed(const std::string& text) {
  std::string dashed;
  for (char letter : text) {
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
    if (plain)
      dashed += letter;
    else if (!dashed.empty() && dashed.back() != '-')
      dashed += '-';
  }
  if (!dashed.empty() && dashed.back() == '-') dashed.pop_back();
  return dashed;
}

std::string WidestIsa(const std::vector<std::string>& isa) {
  constexpr std::pair<std::string_view, std::string_view> kWidest[] = {
      {"amx_tile", "amx"}, {"avx512f", "avx512"}, {"avx2", "avx2"}, {"avx", "avx"},
      {"sse4_2", "sse4"},  {"sve2", "sve2"},      {"sve", "sve"},   {"asimd", "neon"}};
  for (const auto& [flag, word] : kWidest)
    if (std::find(isa.begin(), isa.end(), flag) != isa.end()) return std::string(word);
  return "scalar";
}

// "KVMKVMKVM" and the like, from the leaf that hypervisors sign; "hypervisor" where they do not.
std::string HypervisorName() {
#if defined(__x86_64__) || defined(__i386__)
  unsigned words[4] = {};
  __cpuid(0x40000000, words[0], words[1], words[2], words[3]);
  const std::string signature(reinterpret_cast<const char*>(words + 1), 12);
  constexpr std::pair<std::string_view, std::string_view> kKnown[] = {
      {"KVMKVMKVM", "kvm"},       {"Linux KVM Hv", "kvm"}, {"Microsoft Hv", "hyperv"},
      {"VMwareVMware", "vmware"}, {"XenVMMXenVMM", "xen"}, {"TCGTCGTCGTCG", "qemu"}};
  for (const auto& [text, name] : kKnown)
    if (signature.starts_with(text)) return std::string(name);
#endif
  return "hypervisor";
}

std::string Virtualization(bool hypervisor) {
  std::string text = hypervisor ? HypervisorName() : "none";
  if (fs::exists("/.dockerenv")) text += ", docker";
  if (fs::exists("/run/.containerenv")) text += ", podman";
  return text;
}

std::vector<int> Affinity() {
  constexpr size_t kMostCpus = 8192;
  cpu_set_t* set = CPU_ALLOC(kMostCpus);
  const size_t bytes = CPU_ALLOC_SIZE(kMostCpus);
  CPU_ZERO_S(bytes, set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, bytes, set) == 0)
    for (size_t cpu = 0; cpu < kMostCpus; ++cpu)
      if (CPU_ISSET_S(cpu, bytes, set)) cpus.push_back(static_cast<int>(cpu));
  CPU_FREE(set);
  return cpus;
}

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace

CpuInfo ParseCpuInfo(std::string_view text) {
  CpuInfo info;
  std::string flags;
  ForEachPair(text, [&](const std::string& key, const std::string& value) {
    if (key == "model name" && info.model.empty()) info.model = value;
    if (key == "microcode" && info.microcode.empty()) info.microcode = value;
    if (key == "cpu MHz" && info.mhz == 0) info.mhz = std::atof(value.c_str());
    if ((key == "flags" || key == "Features") && flags.empty()) flags = value;
  });
  const std::vector<std::string> words = Split(flags, ' ');
  const auto has = [&](std::string_view flag) {
    return std::find(words.begin(), words.end(), flag) != words.end();
  };
  for (const std::string_view flag : kIsaOfInterest)
    if (has(flag)) info.isa.emplace_back(flag);
  info.hypervisor = has("hypervisor");
  return info;
}

std::string ParseOsRelease(std::string_view text) {
  for (std::string line : Split(text, '\n')) {
    constexpr std::string_view kKey = "PRETTY_NAME=";
    if (!line.starts_with(kKey)) continue;
    line.erase(0, kKey.size());
    std::erase_if(line, [](char letter) { return letter == '"' || letter == '\''; });
    return line;
  }
  return "";
}

Frequency ReadFrequency(const std::string& root) {
  const fs::path cpus = root + "/sys/devices/system/cpu";
  Frequency frequency{"unknown", "unknown"};
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(cpus, ignored)) {
    const std::string governor = FirstLine(entry.path() / "cpufreq/scaling_governor");
    if (governor.empty() || governor == frequency.governor) continue;
    frequency.governor = frequency.governor == "unknown" ? governor : "mixed";
    if (frequency.governor == "mixed") break;
  }
  const std::string no_turbo = FirstLine(cpus / "intel_pstate/no_turbo");
  const std::string boost = FirstLine(cpus / "cpufreq/boost");
  if (!no_turbo.empty())
    frequency.turbo = no_turbo == "0" ? "on" : "off";
  else if (!boost.empty())
    frequency.turbo = boost == "0" ? "off" : "on";
  return frequency;
}

std::vector<Gpu> ReadNvidiaGpus(const std::string& root) {
  const fs::path driver = root + "/proc/driver/nvidia";
  // "NVRM version: NVIDIA UNIX ... Kernel Module  580.65.06  Release ...": the first word of digits
  // and dots.
  std::string version;
  for (const std::string& word : Split(FirstLine(driver / "version"), ' '))
    if (version.empty() && word.find('.') != std::string::npos &&
        word.find_first_not_of("0123456789.") == std::string::npos)
      version = word;
  std::vector<fs::path> folders;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(driver / "gpus", ignored))
    folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  std::vector<Gpu> gpus;
  for (const fs::path& folder : folders) {
    Gpu gpu;
    gpu.driver = version;
    ForEachPair(ReadText(folder / "information"),
                [&](const std::string& key, const std::string& value) {
                  if (key == "Model") gpu.name = value;
                });
    gpus.push_back(gpu);
  }
  return gpus;
}

std::string MachineSlug(const Cpu& cpu) {
  std::string slug;
  for (const std::string& word : Split(WithoutMarks(Lower(cpu.model)), ' '))
    if (!word.empty() && IsTelling(word)) slug += word + "-";
  slug = Dashed(slug);
  return fmt::format("{}-{}-{}c", slug.empty() ? "cpu" : slug, WidestIsa(cpu.isa), cpu.cores);
}

std::string DateNow() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &local);
  const std::string_view date = text;  // ...+0200
  if (date.size() <= 5) return text;
  return fmt::format("{}:{}", date.substr(0, date.size() - 2), date.substr(date.size() - 2));
}

Machine DescribeMachine() {
  Machine machine;
  const CpuInfo info = ParseCpuInfo(ReadText("/proc/cpuinfo"));
  utsname names{};
  uname(&names);
  machine.cpu.model = info.model.empty() ? names.machine : info.model;
  machine.cpu.microcode = info.microcode;
  machine.cpu.mhz = info.mhz;
  machine.cpu.isa = info.isa;
  ReadTopology(machine.cpu);
  machine.slug = MachineSlug(machine.cpu);
  machine.host_name = HostName();
  machine.os = ParseOsRelease(ReadText("/etc/os-release"));
  machine.kernel = names.release;
  machine.virtualization = Virtualization(info.hypervisor);
  // Where the load is unknown it stays 0.
  if (getloadavg(machine.load_average.data(), 3) != 3) machine.load_average = {};
  machine.limits = {CpuQuota(""), Affinity(), MemoryLimit("")};
  machine.frequency = ReadFrequency("");
  NvmlReading nvml = ReadNvml();
  machine.nvml = nvml.reason.empty() ? nvml.version : "unavailable: " + nvml.reason;
  machine.gpus = nvml.gpus.empty() ? ReadNvidiaGpus("") : std::move(nvml.gpus);
  return machine;
}

}  // namespace attest::report
