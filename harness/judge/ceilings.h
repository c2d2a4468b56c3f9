// SPDX-License-Identifier: Apache-2.0
//
// What the machine could do at best, measured by workers in the same run as everything else.
#ifndef ATTEST_HARNESS_JUDGE_CEILINGS_H_
#define ATTEST_HARNESS_JUDGE_CEILINGS_H_

#include <optional>
#include <string>
#include <vector>

#include "harness/judge/backends.h"

namespace attest::judge {

// "opencl@1": how a device's ceiling is named.
std::string DeviceLabel(const Contender& contender);

// "cpu"; "cpu/1t" with 1 thread, fewer than the run's.
std::string CpuCeilingName(const Settings& settings, unsigned threads);

// The CPU's ceilings with so many threads and reads over `footprint_bytes`; absent where they
// cannot be measured.
std::optional<report::Ceiling> MeasureCpuCeiling(const Settings& settings, const std::string& name,
                                                 unsigned threads, uint64_t footprint_bytes);

// Measures those of the CPU once more and keeps the better figure of each: whatever else ran
// meanwhile can only have lowered it.
void RaiseCpuCeilings(const Settings& settings, std::vector<report::Ceiling>& ceilings);

// The CPU's by a worker without a plugin, other devices' by their own backend. A ceiling that
// cannot be measured is left out.
std::vector<report::Ceiling> MeasureCeilings(const Settings& settings, Field& field);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_CEILINGS_H_
