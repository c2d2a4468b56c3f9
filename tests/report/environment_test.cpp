// SPDX-License-Identifier: Apache-2.0
#include "harness/report/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <regex>

#include "tests/temporary_folder.h"

namespace attest::report {
namespace {

using testing::ElementsAre;

TEST(ParseCpuInfo, TakesTheFirstProcessor) {
  const CpuInfo info = ParseCpuInfo(
      "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz\nmicrocode\t: "
      "0x5003605\n"
      "cpu MHz\t\t: 2500.124\nflags\t\t: fpu fma avx avx2 avx512f hypervisor\n\n"
      "processor\t: 1\nmodel name\t: other\nflags\t\t: fpu\n");
  EXPECT_EQ(info.model, "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz");
  EXPECT_EQ(info.microcode, "0x5003605");
  EXPECT_DOUBLE_EQ(info.mhz, 2500.124);
  EXPECT_THAT(info.isa, ElementsAre("avx", "avx2", "fma", "avx512f"));
  EXPECT_TRUE(info.hypervisor);
}

TEST(ParseCpuInfo, ArmAndNothing) {
  EXPECT_THAT(ParseCpuInfo("Features\t: fp asimd sve\n").isa, ElementsAre("asimd", "sve"));
  EXPECT_EQ(ParseCpuInfo("").model, "");
}

TEST(MachineSlug, KeepsTheTellingWords) {
  const auto slug = [](const char* model, std::vector<std::string> isa, int cores) {
    Cpu cpu;
    cpu.model = model;
    cpu.isa = std::move(isa);
    cpu.cores = cores;
    return MachineSlug(cpu);
  };
  EXPECT_EQ(slug("Intel(R) Xeon(R) Processor", {"avx2", "avx512f"}, 2), "intel-xeon-avx512-2c");
  EXPECT_EQ(slug("Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", {"avx512f", "amx_tile"}, 22),
            "intel-xeon-platinum-8481c-amx-22c");
  EXPECT_EQ(slug("AMD EPYC 7B13 64-Core Processor", {"avx2"}, 64), "amd-epyc-7b13-avx2-64c");
  EXPECT_EQ(slug("AMD Ryzen 7 5800U with Radeon Graphics", {"avx2"}, 8),
            "amd-ryzen-7-5800u-avx2-8c");
  EXPECT_EQ(slug("", {}, 1), "cpu-scalar-1c");
  EXPECT_EQ(slug("Ünï/..\\ $(x)", {}, 1), "n-x-scalar-1c");
}

TEST(ParseOsRelease, TakesThePrettyName) {
  EXPECT_EQ(ParseOsRelease("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"), "Debian GNU/Linux 12");
  EXPECT_EQ(ParseOsRelease("NAME=x\n"), "");
}

TEST(ControlGroups, Version2TakesTheLeastOfAllLevels) {
  const TemporaryFolder root;
  root.Make("proc/self/cgroup", "0::/a/b\n");
  root.Make("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  root.Make("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  root.Make("sys/fs/cgroup/a/memory.max", "2000000\n");
  root.Make("sys/fs/cgroup/a/b/memory.max", "1000000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root.path()).value(), 1.5);
  EXPECT_EQ(MemoryLimit(root.path()).value(), 1000000u);
}

TEST(ControlGroups, Version1BesideVersion2) {
  const TemporaryFolder root;
  root.Make("proc/self/cgroup", "4:memory:/job\n1:cpu,cpuacct:/\n0::/\n");
  root.Make("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
  root.Make("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  root.Make("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  root.Make("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "12345678\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root.path()).value(), 0.5);
  EXPECT_EQ(MemoryLimit(root.path()).value(), 12345678u);
}

// In a container the path is the host's, and only the mount itself is there.
TEST(ControlGroups, PathOutsideTheContainer) {
  const TemporaryFolder root;
  root.Make("proc/self/cgroup", "0::/host/only\n");
  root.Make("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root.path()).value(), 2);
}

TEST(ControlGroups, NoLimit) {
  const TemporaryFolder root;
  EXPECT_FALSE(CpuQuota(root.path()));
  root.Make("proc/self/cgroup", "1:cpu:/\n0::/\n");
  root.Make("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  root.Make("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  root.Make("sys/fs/cgroup/memory.max", "max\n");
  EXPECT_FALSE(CpuQuota(root.path()));
  EXPECT_FALSE(MemoryLimit(root.path()));
}

TEST(ReadFrequency, FromSysfs) {
  const TemporaryFolder root;
  const std::string cpus = "sys/devices/system/cpu/";
  EXPECT_EQ(ReadFrequency(root.path()).governor, "unknown");
  root.Make(cpus + "cpu0/cpufreq/scaling_governor", "performance\n");
  root.Make(cpus + "cpu1/cpufreq/scaling_governor", "performance\n");
  root.Make(cpus + "intel_pstate/no_turbo", "1\n");
  EXPECT_EQ(ReadFrequency(root.path()).governor, "performance");
  EXPECT_EQ(ReadFrequency(root.path()).turbo, "off");
  root.Make(cpus + "cpu2/cpufreq/scaling_governor", "powersave\n");
  EXPECT_EQ(ReadFrequency(root.path()).governor, "mixed");
}

TEST(ReadNvidiaGpus, FromProc) {
  const TemporaryFolder root;
  EXPECT_TRUE(ReadNvidiaGpus(root.path()).empty());
  root.Make(
      "proc/driver/nvidia/version",
      "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6\nGCC version: 12\n");
  root.Make("proc/driver/nvidia/gpus/0000:01:00.0/information",
            "Model: \t\t NVIDIA H100\nIRQ:   \t\t 30\n");
  const std::vector<Gpu> gpus = ReadNvidiaGpus(root.path());
  ASSERT_EQ(gpus.size(), 1u);
  EXPECT_EQ(gpus[0].name, "NVIDIA H100");
  EXPECT_EQ(gpus[0].driver, "535.54.03");
}

TEST(DescribeMachine, OfThisOne) {
  const Machine machine = DescribeMachine();
  EXPECT_TRUE(std::regex_match(machine.slug, std::regex("[a-z0-9-]+-[0-9]+c"))) << machine.slug;
  EXPECT_GE(machine.cpu.sockets, 1);
  EXPECT_GE(machine.cpu.cores, machine.cpu.sockets);
  EXPECT_GE(machine.cpu.threads, machine.cpu.cores);
  EXPECT_GE(machine.cpu.threads, sysconf(_SC_NPROCESSORS_ONLN));
  EXPECT_GE(machine.cpu.numa_nodes, 1);
  EXPECT_FALSE(machine.cpu.caches.empty());
  EXPECT_FALSE(machine.limits.affinity.empty());
  EXPECT_NE(machine.kernel, "");
  EXPECT_NE(machine.virtualization, "");
}

TEST(DescribeBuild, NamesCompilerAndCommit) {
  const Build build = DescribeBuild();
  EXPECT_TRUE(std::regex_match(build.version, std::regex("[0-9]+\\.[0-9]+\\.[0-9]+")))
      << build.version;
  EXPECT_TRUE(std::regex_match(build.commit, std::regex("[0-9a-f]{40}|unknown"))) << build.commit;
  EXPECT_NE(build.compiler, "");
}

TEST(DateNow, IsIso8601) {
  EXPECT_TRUE(std::regex_match(
      DateNow(), std::regex("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d[+-]\\d\\d:\\d\\d")))
      << DateNow();
}

}  // namespace
}  // namespace attest::report
