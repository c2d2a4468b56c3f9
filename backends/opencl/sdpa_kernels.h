// SPDX-License-Identifier: Apache-2.0
//
// The kernels of every sdpa variant: a variant is a recipe, that is which kernels, over which
// ranges, with how much scratch.
#ifndef ATTEST_OPENCL_SDPA_KERNELS_H_
#define ATTEST_OPENCL_SDPA_KERNELS_H_

#include <string>
#include <vector>

#include "kernels.h"
#include "sdpa_shape.h"

namespace attest::opencl {

// Arguments that every kernel begins with: the shape, the eight tensors in the order of
// sdpa_kernels.cpp, the scratch. A variant sets those that follow.
inline constexpr cl_uint kFirstOwnArgument = 10;

struct Recipe {
  std::vector<Launch> launches;
  uint64_t scratch_bytes = 0;  // zero before the first launch, the kernels' own from then on
  std::string implementation;
};

class SdpaKernels {
 public:
  // Allocates, and runs the kernels once with nothing to do. The session is borrowed. Throws
  // DeviceError, OutOfMemory. [setup]
  SdpaKernels(const attest_problem& problem, Session& session, Recipe recipe);

  // Bytes of device memory with that much scratch.
  static uint64_t BytesWith(uint64_t scratch_bytes);

  // Tensors of an sdpa problem, with data that have places. Throws cl::Error. [setup]
  void Bind(Tensors tensors, const Places& places);
  const Recipe& recipe() const { return recipe_; }

 private:
  void WarmUp();
  void BindOne(Tensors tensors, cl_uint index, const Places& places);

  Session& session_;
  Recipe recipe_;
  SdpaShape shape_;
  cl::Buffer scratch_, shape_buffer_;
};

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_SDPA_KERNELS_H_
