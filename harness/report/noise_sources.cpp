// SPDX-License-Identifier: Apache-2.0
#include "harness/report/noise_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "harness/core/words.h"
#include "harness/report/environment.h"

namespace attest::report {
namespace {

namespace fs = std::filesystem;

constexpr double kBusyShare = 0.05;  // of a CPU's time, beyond which somebody else works there
constexpr double kStealShare = 0.01;

std::string FirstLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<double> Number(const fs::path& path) {
  std::istringstream line(FirstLine(path));
  double value = 0;
  if (!(line >> value)) return std::nullopt;
  return value;
}

// "key value" or "key: value" lines of a file.
std::map<std::string, double> Pairs(const fs::path& path) {
  std::map<std::string, double> pairs;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    double value = 0;
    if (!(words >> key >> value)) continue;
    if (key.ends_with(':')) key.pop_back();
    pairs[key] = value;
  }
  return pairs;
}

// Ticks of a CPU so far, by proc(5): user nice system idle iowait irq softirq steal.
struct Ticks {
  double all = 0, idle = 0, steal = 0;
};

struct Counters {
  std::map<int, Ticks> cpus;
  std::map<std::string, double> memory;  // /proc/vmstat
  double throttled = 0;                  // thermal events of all CPUs
  bool has_throttled = false;
  double quota_throttled = 0;  // periods in which the control group had to wait
};

Counters ReadCounters(const std::string& root) {
  Counters counters;
  std::ifstream file(root + "/proc/stat");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (!name.starts_with("cpu") || name == "cpu") continue;
    Ticks ticks;
    double value = 0;
    for (int column = 0; column < 8 && words >> value; ++column) {
      ticks.all += value;
      if (column == 3 || column == 4) ticks.idle += value;
      if (column == 7) ticks.steal = value;
    }
    const int cpu = std::atoi(name.c_str() + 3);
    counters.cpus[cpu] = ticks;
    const fs::path thermal =
        fmt::format("{}/sys/devices/system/cpu/cpu{}/thermal_throttle", root, cpu);
    for (const char* counter : {"core_throttle_count", "package_throttle_count"})
      if (const auto count = Number(thermal / counter)) {
        counters.throttled += *count;
        counters.has_throttled = true;
      }
  }
  counters.memory = Pairs(root + "/proc/vmstat");
  counters.quota_throttled = Pairs(root + "/sys/fs/cgroup/cpu.stat")["nr_throttled"];
  return counters;
}

// "0-1,4" -> {0, 1, 4}.
std::set<int> CpuList(const std::string& text) {
  std::set<int> cpus;
  for (const std::string& part : Split(text, ',')) {
    int first = 0, last = 0;
    const int read = std::sscanf(part.c_str(), "%d-%d", &first, &last);
    if (read < 1) continue;
    for (int cpu = first; cpu <= (read == 2 ? last : first); ++cpu) cpus.insert(cpu);
  }
  return cpus;
}

class Doctor {
 public:
  explicit Doctor(const NoiseOptions& options) : options_(options), root_(options.root) {}

  std::vector<NoiseSource> Examine() {
    before_ = ReadCounters(root_);
    options_.wait();
    after_ = ReadCounters(root_);
    Governor();
    Turbo();
    Siblings();
    ControlGroup();
    Load();
    Steal();
    Swap();
    Thermal();
    AddressLayout();
    Affinity();
    return std::move(found_);
  }

 private:
  void Add(const char* name, NoiseState state, std::string found, std::string fix = "") {
    found_.push_back(
        {name, state, std::move(found), state == NoiseState::kNoisy ? std::move(fix) : ""});
  }

  void Governor() {
    const std::string governor = ReadFrequency(root_).governor;
    if (governor == "unknown")
      return Add("governor", NoiseState::kUnknown,
                 "the kernel shows none here (usual in a virtual machine)");
    Add("governor", governor == "performance" ? NoiseState::kQuiet : NoiseState::kNoisy, governor,
        "sudo cpupower frequency-set --governor performance");
  }

  void Turbo() {
    const std::string turbo = ReadFrequency(root_).turbo;
    const bool intel = fs::exists(root_ + "/sys/devices/system/cpu/intel_pstate/no_turbo");
    if (turbo == "unknown")
      return Add("turbo", NoiseState::kUnknown,
                 "the kernel shows no switch here (usual in a virtual machine)");
    Add("turbo", turbo == "off" ? NoiseState::kQuiet : NoiseState::kNoisy,
        turbo == "on" ? "on: the clock follows temperature and the number of busy cores" : "off",
        intel ? "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
              : "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost");
  }

  // Share of the time between the readings in which a CPU was not idle; nothing where it is not
  // counted.
  std::optional<double> BusyShare(int cpu) const {
    const auto first = before_.cpus.find(cpu), last = after_.cpus.find(cpu);
    if (first == before_.cpus.end() || last == after_.cpus.end()) return std::nullopt;
    const double all = last->second.all - first->second.all;
    if (!(all > 0)) return std::nullopt;
    return 1 - (last->second.idle - first->second.idle) / all;
  }

  // Two hardware threads of one core share its arithmetic units.
  void Siblings() {
    const std::set<int> own(options_.cpus.begin(), options_.cpus.end());
    bool known = false;
    std::string shared, busy;
    for (const int cpu : own) {
      const std::string list = FirstLine(
          fmt::format("{}/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", root_, cpu));
      known = known || !list.empty();
      for (const int sibling : CpuList(list)) {
        if (sibling == cpu) continue;
        if (own.count(sibling) != 0 && sibling > cpu) shared += fmt::format(" {}+{}", cpu, sibling);
        if (own.count(sibling) == 0 && BusyShare(sibling).value_or(0) > kBusyShare)
          busy += fmt::format(" {}", sibling);
      }
    }
    if (!known) return Add("smt", NoiseState::kUnknown, "the kernel shows no sibling threads");
    if (!busy.empty())
      return Add("smt", NoiseState::kNoisy, "busy sibling threads of other processes:" + busy,
                 "echo off | sudo tee /sys/devices/system/cpu/smt/control");
    if (!shared.empty())
      return Add("smt", NoiseState::kNoisy, "threads of one core among the CPUs to use:" + shared,
                 "run with --threads of the number of cores under taskset --cpu-list, one CPU of "
                 "each pair");
    Add("smt", NoiseState::kQuiet, "one hardware thread of each core, its sibling idle or absent");
  }

  void ControlGroup() {
    const std::optional<double> quota = CpuQuota(root_);
    const double waited = after_.quota_throttled - before_.quota_throttled;
    if (!quota) return Add("cgroup", NoiseState::kQuiet, "no CPU quota");
    const bool tight = *quota < options_.threads;
    Add("cgroup", tight || waited > 0 ? NoiseState::kNoisy : NoiseState::kQuiet,
        fmt::format("a quota of {:g} CPUs for {} threads{}", *quota, options_.threads,
                    waited > 0 ? ", used up meanwhile" : ""),
        fmt::format("run with --threads {:.0f}, or start the container with more CPUs",
                    std::max(1.0, std::floor(*quota))));
  }

  void Load() {
    double busy = 0;
    size_t counted = 0;
    for (const int cpu : options_.cpus)
      if (const auto share = BusyShare(cpu)) {
        busy += *share;
        ++counted;
      }
    if (counted == 0) return Add("load", NoiseState::kUnknown, "the kernel counts no CPU time");
    Add("load",
        busy > kBusyShare * static_cast<double>(counted) ? NoiseState::kNoisy : NoiseState::kQuiet,
        fmt::format("{:.2f} of {} CPUs busy with other work; load average {}", busy, counted,
                    FirstLine(root_ + "/proc/loadavg").substr(0, 14)),
        "stop what 'ps -eo pcpu,comm --sort=-pcpu | head' shows");
  }

  // Time the hypervisor gave to other machines.
  void Steal() {
    double all = 0, stolen = 0;
    for (const auto& [cpu, last] : after_.cpus) {
      const auto first = before_.cpus.find(cpu);
      if (first == before_.cpus.end()) continue;
      all += last.all - first->second.all;
      stolen += last.steal - first->second.steal;
    }
    if (!(all > 0)) return Add("steal", NoiseState::kUnknown, "the kernel counts no CPU time");
    Add("steal", stolen / all > kStealShare ? NoiseState::kNoisy : NoiseState::kQuiet,
        fmt::format("{:.1f} % of the time went to other virtual machines", 100 * stolen / all),
        "ask for dedicated CPUs, or repeat at a quieter time with more --rounds");
  }

  void Swap() {
    auto memory = Pairs(root_ + "/proc/meminfo");
    if (memory.count("SwapTotal") == 0)
      return Add("swap", NoiseState::kUnknown, "the kernel shows no memory figures");
    const double used = memory["SwapTotal"] - memory["SwapFree"];  // KiB
    const auto moved = [&](const char* key) {
      const auto last = after_.memory.find(key), first = before_.memory.find(key);
      return last == after_.memory.end() || first == before_.memory.end()
                 ? 0
                 : last->second - first->second;
    };
    const double pages = moved("pswpin") + moved("pswpout");
    if (memory["SwapTotal"] == 0) return Add("swap", NoiseState::kQuiet, "no swap space");
    Add("swap", pages > 0 ? NoiseState::kNoisy : NoiseState::kQuiet,
        fmt::format("{:.0f} MiB in use, {:.0f} pages moved meanwhile", used / 1024, pages),
        "sudo swapoff --all, where the memory suffices");
  }

  void Thermal() {
    if (!after_.has_throttled)
      return Add("thermal", NoiseState::kUnknown,
                 "the kernel counts no throttling here (usual in a virtual machine)");
    const double now = after_.throttled - before_.throttled;
    Add("thermal", now > 0 ? NoiseState::kNoisy : NoiseState::kQuiet,
        fmt::format("throttled {:.0f} times since the start, {:.0f} times meanwhile",
                    after_.throttled, now),
        "let it cool, raise the fans, or turn turbo off");
  }

  // Where code and stacks lie changes how branches and caches collide, from process to process.
  void AddressLayout() {
    const auto mode = Number(root_ + "/proc/sys/kernel/randomize_va_space");
    if (!mode) return Add("aslr", NoiseState::kUnknown, "the kernel does not say");
    Add("aslr", *mode == 0 ? NoiseState::kQuiet : NoiseState::kNoisy,
        *mode == 0 ? "off" : "on: addresses differ from run to run",
        "setarch --addr-no-randomize attest run ...");
  }

  // A runtime that pins its own threads fights with the worker's affinity.
  void Affinity() {
    std::string set;
    for (const char* name :
         {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY", "POCL_AFFINITY"})
      if (const std::string value = options_.variable(name); !value.empty())
        set += fmt::format(" {}={}", name, value);
    Add("affinity", set.empty() ? NoiseState::kQuiet : NoiseState::kNoisy,
        set.empty() ? "no runtime is told to pin its threads" : "set:" + set,
        "unset OMP_PROC_BIND OMP_PLACES GOMP_CPU_AFFINITY KMP_AFFINITY POCL_AFFINITY");
  }

  const NoiseOptions& options_;
  const std::string& root_;
  Counters before_, after_;
  std::vector<NoiseSource> found_;
};

}  // namespace

std::vector<NoiseSource> FindNoiseSources(const NoiseOptions& options) {
  return Doctor(options).Examine();
}

}  // namespace attest::report
