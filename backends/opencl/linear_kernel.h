// SPDX-License-Identifier: Apache-2.0
//
// The kernel of one linear map of a layer: linear_vec.cl on CPU devices, linear_tile.cl on others.
#ifndef ATTEST_OPENCL_LINEAR_KERNEL_H_
#define ATTEST_OPENCL_LINEAR_KERNEL_H_

#include <string>

#include "attest/layer.hpp"
#include "kernels.h"
#include "linear_shape.h"

namespace attest::opencl {

enum class LinearFile { kTile, kVec };

class LinearKernel {
 public:
  // For a map of that description. Compiles, and runs once with nothing to do. `scratch` holds
  // ScratchBytes at least and outlives this object; maps that run one after another may share it.
  // Throws DeviceError. [setup]
  LinearKernel(const LinearMap& map, LinearFile file, Session& session, const cl::Buffer& scratch);

  static uint64_t ScratchBytes(const LinearMap& map, LinearFile file, const Session& session);

  // The map with data that have places. Throws cl::Error. [setup]
  void Bind(const LinearMap& map, const Places& places);
  const Launch& launch() const { return launch_; }
  const std::string& implementation() const { return implementation_; }

 private:
  void Prepare(const LinearMap& map, LinearFile file, const cl::Buffer& scratch);

  Session& session_;
  Launch launch_;
  std::string implementation_;
  cl::Buffer shape_buffer_;
};

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_LINEAR_KERNEL_H_
