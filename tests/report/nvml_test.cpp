// SPDX-License-Identifier: Apache-2.0
//
// Arguments: a library with NVML's names, and one whose nvmlInit fails.
#include "harness/report/nvml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace attest::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;

std::string g_stub, g_broken;

TEST(ReadNvml, TellsWhatTheLibraryTells) {
  const NvmlReading reading = ReadNvml(g_stub);
  EXPECT_EQ(reading.reason, "");
  EXPECT_EQ(reading.version, "13.580.65");
  ASSERT_EQ(reading.gpus.size(), 2u);
  const Gpu& gpu = reading.gpus[0];
  EXPECT_EQ(gpu.name, "ACME 9");
  EXPECT_EQ(gpu.driver, "580.65");
  EXPECT_THAT(gpu.memory_bytes, Optional(uint64_t{1} << 37));
  EXPECT_THAT(gpu.power_cap_watts, Optional(700.0));
  EXPECT_THAT(gpu.power_watts, Optional(75.5));
  EXPECT_THAT(gpu.temperature_celsius, Optional(31.0));
  EXPECT_THAT(gpu.sm_clock_hertz, Optional(345e6));
  EXPECT_THAT(gpu.memory_clock_hertz, Optional(3201e6));
  EXPECT_THAT(gpu.ecc, Optional(true));
  EXPECT_THAT(gpu.mig, Optional(false));
}

TEST(ReadNvml, WhatIsNotToldStaysAbsent) {
  const NvmlReading reading = ReadNvml(g_stub);
  ASSERT_EQ(reading.gpus.size(), 2u);
  const Gpu& gpu = reading.gpus[1];
  EXPECT_EQ(gpu.name, "ACME 1");
  EXPECT_FALSE(gpu.power_cap_watts);
  EXPECT_FALSE(gpu.power_watts);
  EXPECT_FALSE(gpu.ecc);
  EXPECT_FALSE(gpu.mig);
  EXPECT_FALSE(gpu.sm_clock_max_hertz);  // the library has no such function
}

TEST(ReadNvml, SaysWhyThereIsNone) {
  const NvmlReading absent = ReadNvml("libattest-no-such-library.so.1");
  EXPECT_THAT(absent.reason, HasSubstr("libattest-no-such-library.so.1"));
  EXPECT_EQ(absent.version, "");
  EXPECT_TRUE(absent.gpus.empty());
  const NvmlReading broken = ReadNvml(g_broken);
  EXPECT_EQ(broken.reason, "nvmlInit: Driver Not Loaded");
  EXPECT_TRUE(broken.gpus.empty());
}

}  // namespace
}  // namespace attest::report

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 3) return 2;
  attest::report::g_stub = argv[1];
  attest::report::g_broken = argv[2];
  return RUN_ALL_TESTS();
}
