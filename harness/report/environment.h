// SPDX-License-Identifier: Apache-2.0
//
// What a measurement ran on: the machine by hwloc, /proc and /sys, and how this binary was built.
// Only reads; what cannot be found out stays empty or "unknown", never guessed.
#ifndef ATTEST_HARNESS_REPORT_ENVIRONMENT_H_
#define ATTEST_HARNESS_REPORT_ENVIRONMENT_H_

#include <string>
#include <string_view>

#include "harness/report/model.h"

namespace attest::report {

Machine DescribeMachine();
Build DescribeBuild();
// Now, as ISO 8601 with the offset of the local time: "2024-05-01T12:00:00+02:00".
std::string DateNow();

// ---- parts, for their tests: `root` stands before /proc, /sys and /etc ----

// Model, microcode, MHz and the instruction sets that matter to attention, from /proc/cpuinfo's
// text.
struct CpuInfo {
  std::string model, microcode;
  double mhz = 0;
  std::vector<std::string> isa;
  bool hypervisor = false;
};
CpuInfo ParseCpuInfo(std::string_view text);
// PRETTY_NAME of an os-release file; "" where there is none.
std::string ParseOsRelease(std::string_view text);
// CPUs and bytes that the control groups (version 1 or 2) of this process grant, the least of all
// levels.
std::optional<double> CpuQuota(const std::string& root);
std::optional<uint64_t> MemoryLimit(const std::string& root);
Frequency ReadFrequency(const std::string& root);
std::vector<Gpu> ReadNvidiaGpus(const std::string& root);
// "intel-xeon-avx512-2c": the model's telling words, the widest vector extension, the cores.
std::string MachineSlug(const Cpu& cpu);

// topology.cpp: sockets, cores, threads, caches and NUMA nodes of the whole machine.
void ReadTopology(Cpu& cpu);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_ENVIRONMENT_H_
