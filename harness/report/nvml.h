// SPDX-License-Identifier: Apache-2.0
//
// NVIDIA GPUs by the driver's management library, opened at run time: a build needs neither its
// header nor a GPU.
#ifndef ATTEST_HARNESS_REPORT_NVML_H_
#define ATTEST_HARNESS_REPORT_NVML_H_

#include <string>
#include <vector>

#include "harness/report/model.h"

namespace attest::report {

struct NvmlReading {
  std::string version;  // of the library; "" = unavailable
  std::string reason;   // why it is, with the loader's or the library's own words
  std::vector<Gpu> gpus;
};

// `library`: a name or path for dlopen. What a GPU does not tell stays absent.
NvmlReading ReadNvml(const std::string& library = "libnvidia-ml.so.1");

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_NVML_H_
