// SPDX-License-Identifier: Apache-2.0
//
// The kernel of one linear map of a layer: linear_vec.cl on CPU devices, linear_tile.cl on others.
// CLBlast 1.5.3 is no choice on CPU devices: its Sgemm (512 x 768 by 768 x 768) makes 9 GFLOP/s on
// PoCL 3.1 and two threads of a Zen 5, and the best of 40 sizes of its tuner (1024^3) 45, where
// linear_vec.cl makes 300 and more. On a GPU it has not been measured.
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
