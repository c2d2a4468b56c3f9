// SPDX-License-Identifier: Apache-2.0
#include "vector_options.h"

#include <algorithm>

#include "kernels.h"

namespace attest::opencl {
namespace {
constexpr int64_t kMaxHeadSize = 256;
}  // namespace

std::string Define(const char* name, int64_t value) {
  return std::string(" -D") + name + "=" + std::to_string(value);
}

std::string VectorOptions(const attest_problem& problem) {
  return IoOption(problem.dtype) + Define("HEAD_SIZE", problem.head_size) +
         Define("V_HEAD_SIZE", problem.v_head_size) + Define("MASK_KIND", problem.attn_mask) +
         Define("SOFTCAP", problem.softcap > 0);
}

std::optional<std::string> WhyNotVectors(const Request& request, const Session& session) {
  const attest_problem& problem = request.problem;
  if (!session.device.IsCpu())
    return "for CPU devices: one work-item in a work-group; try opencl:flash_tile";
  if (problem.outputs & ATTEST_OUTPUT_WEIGHTS)
    return "the attention weights are never held; try opencl:naive";
  if (std::max(problem.head_size, problem.v_head_size) > kMaxHeadSize)
    return "head sizes to " + std::to_string(kMaxHeadSize) + "; try opencl:naive";
  return std::nullopt;
}

bool HasWideRegisters(const Session& session) { return session.device.register_floats >= kLanes; }

std::string RegisterOption(const Session& session) {
  return Define("WIDE_REGISTERS", HasWideRegisters(session));
}

int64_t WorkersOf(const Session& session) {
  return std::max<int64_t>(1, std::min(session.threads, session.device.compute_units));
}

}  // namespace attest::opencl
