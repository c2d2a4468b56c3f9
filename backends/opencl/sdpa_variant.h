// SPDX-License-Identifier: Apache-2.0
//
// What a file of this backend says of the variant it implements.
#ifndef ATTEST_OPENCL_SDPA_VARIANT_H_
#define ATTEST_OPENCL_SDPA_VARIANT_H_

#include <memory>
#include <optional>
#include <string>

#include "sdpa_kernels.h"
#include "session.h"

namespace attest::opencl {

struct SdpaVariant {
  const char* name;
  const char* description;
  const char* kernel_file;    // what plan_info's implementation begins with
  double exp_relative_error;  // 0 = 4 units of f32
  uint32_t contract_flags;
  // Beyond op, types and sizes of buffers, which opencl.cpp checks. [setup]
  std::optional<std::string> (*why_unsupported)(const Request& request, Session& session);
  uint64_t (*scratch_bytes)(const Request& request, Session& session);
  // Compiles. Throws DeviceError. [setup]
  Recipe (*recipe)(const Request& request, Session& session);
};

extern const SdpaVariant kDecode;
extern const SdpaVariant kFlashTile;
extern const SdpaVariant kFlashVec;
extern const SdpaVariant kNaive;

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_SDPA_VARIANT_H_
