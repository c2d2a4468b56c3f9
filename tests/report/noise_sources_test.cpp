// SPDX-License-Identifier: Apache-2.0
#include "harness/report/noise_sources.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/temporary_folder.h"

namespace attest::report {
namespace {

const char* kQuietBefore = "cpu  1 1\ncpu0 100 0 0 1000 0 0 0 0\ncpu1 100 0 0 1000 0 0 0 0\n";
const char* kQuietAfter = "cpu  1 1\ncpu0 100 0 0 1100 0 0 0 0\ncpu1 101 0 0 1099 0 0 0 0\n";

// A machine whose counters change while it is watched.
class NoiseSources : public testing::Test {
 protected:
  void SetUp() override {
    root_.Make("proc/stat", kQuietBefore);
    root_.Make("proc/loadavg", "0.01 0.02 0.03 1/100 1\n");
    root_.Make("proc/meminfo", "SwapTotal: 1000 kB\nSwapFree: 1000 kB\n");
    root_.Make("proc/vmstat", "pswpin 5\npswpout 7\n");
    root_.Make("proc/sys/kernel/randomize_va_space", "0\n");
    root_.Make("proc/self/cgroup", "0::/\n");
    for (const char* cpu : {"cpu0", "cpu1"}) {
      const std::string folder = std::string("sys/devices/system/cpu/") + cpu;
      root_.Make(folder + "/cpufreq/scaling_governor", "performance\n");
      root_.Make(folder + "/topology/thread_siblings_list", cpu + 3);
      root_.Make(folder + "/thermal_throttle/core_throttle_count", "3\n");
    }
    root_.Make("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
    after_["proc/stat"] = kQuietAfter;
  }

  // The state of one source, after `after_` came to pass.
  NoiseSource Find(const std::string& name) {
    root_.Make("proc/stat", kQuietBefore);
    NoiseOptions options;
    options.root = root_.path();
    options.cpus = cpus_;
    options.threads = static_cast<int>(cpus_.size());
    options.wait = [this] {
      for (const auto& [path, text] : after_) root_.Make(path, text);
    };
    options.variable = [this](const std::string& variable) { return variables_[variable]; };
    for (const NoiseSource& source : FindNoiseSources(options))
      if (source.name == name) return source;
    ADD_FAILURE() << "no source " << name;
    return {};
  }

  void ExpectNoisy(const std::string& name, const std::string& words, const std::string& fix) {
    const NoiseSource source = Find(name);
    EXPECT_EQ(source.state, NoiseState::kNoisy) << source.found;
    EXPECT_NE(source.found.find(words), std::string::npos) << source.found;
    EXPECT_NE(source.fix.find(fix), std::string::npos) << source.fix;
  }

  TemporaryFolder root_;
  std::vector<int> cpus_ = {0, 1};
  std::map<std::string, std::string> after_, variables_;
};

TEST_F(NoiseSources, AQuietMachineHasNone) {
  for (const char* name : {"governor", "turbo", "smt", "cgroup", "load", "steal", "swap", "thermal",
                           "aslr", "affinity"}) {
    const NoiseSource source = Find(name);
    EXPECT_EQ(source.state, NoiseState::kQuiet) << name << ": " << source.found;
    EXPECT_EQ(source.fix, "") << name;
  }
}

TEST_F(NoiseSources, GovernorAndTurbo) {
  root_.Make("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n");
  ExpectNoisy("governor", "mixed", "cpupower");
  root_.Make("sys/devices/system/cpu/intel_pstate/no_turbo", "0\n");
  ExpectNoisy("turbo", "on", "no_turbo");
}

TEST_F(NoiseSources, SiblingsOfTheOwnCpusAndOfOthers) {
  root_.Make("sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0-1\n");
  ExpectNoisy("smt", "0+1", "taskset");
  cpus_ = {0};
  EXPECT_EQ(Find("smt").state, NoiseState::kQuiet);
  after_["proc/stat"] = "cpu0 100 0 0 1100 0 0 0 0\ncpu1 200 0 0 1000 0 0 0 0\n";
  ExpectNoisy("smt", "busy sibling threads of other processes: 1", "smt/control");
}

TEST_F(NoiseSources, AQuotaBelowTheThreads) {
  root_.Make("sys/fs/cgroup/cpu.max", "150000 100000\n");
  ExpectNoisy("cgroup", "1.5 CPUs for 2 threads", "--threads 1");
  root_.Make("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(Find("cgroup").state, NoiseState::kQuiet);
  root_.Make("sys/fs/cgroup/cpu.stat", "nr_throttled 1\n");
  after_["sys/fs/cgroup/cpu.stat"] = "nr_throttled 2\n";
  ExpectNoisy("cgroup", "used up", "--threads 2");
}

TEST_F(NoiseSources, LoadAndSteal) {
  after_["proc/stat"] = "cpu0 150 0 0 1050 0 0 0 0\ncpu1 100 0 0 1090 0 0 0 10\n";
  ExpectNoisy("load", "of 2 CPUs busy", "ps -eo");
  ExpectNoisy("steal", "5.0 %", "--rounds");
}

TEST_F(NoiseSources, SwapThermalAddressesAffinity) {
  after_["proc/vmstat"] = "pswpin 6\npswpout 9\n";
  ExpectNoisy("swap", "3 pages", "swapoff");
  after_["sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count"] = "4\n";
  root_.Make("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "3\n");
  ExpectNoisy("thermal", "1 times meanwhile", "cool");
  root_.Make("proc/sys/kernel/randomize_va_space", "2\n");
  ExpectNoisy("aslr", "on", "setarch");
  variables_["GOMP_CPU_AFFINITY"] = "0-1";
  ExpectNoisy("affinity", "GOMP_CPU_AFFINITY=0-1", "unset");
}

TEST_F(NoiseSources, WhatCannotBeReadIsUnknown) {
  const TemporaryFolder nothing;
  NoiseOptions options;
  options.root = nothing.path();
  options.cpus = {0};
  options.wait = [] {};
  options.variable = [](const std::string&) { return std::string(); };
  for (const NoiseSource& source : FindNoiseSources(options))
    if (source.name != "cgroup" && source.name != "affinity") {
      EXPECT_EQ(source.state, NoiseState::kUnknown) << source.name << ": " << source.found;
    }
}

TEST(NoiseText, NamesStateAndFix) {
  const std::vector<NoiseSource> sources = {{"load", NoiseState::kNoisy, "1 \"busy\"", "stop it"},
                                            {"swap", NoiseState::kQuiet, "none", ""}};
  const std::string text = NoiseSourcesText(sources);
  EXPECT_NE(text.find("noisy    load      1 \"busy\"\n"), std::string::npos) << text;
  EXPECT_NE(text.find("fix: stop it"), std::string::npos) << text;
  EXPECT_NE(text.find("1 of 2 sources"), std::string::npos) << text;
  EXPECT_NE(NoiseSourcesJson(sources).find("\"found\": \"1 \\\"busy\\\"\""), std::string::npos);
}

}  // namespace
}  // namespace attest::report
