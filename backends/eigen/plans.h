// SPDX-License-Identifier: Apache-2.0
//
// What the files of the Eigen backend offer to backend.cpp.
#ifndef ATTEST_BACKENDS_EIGEN_PLANS_H_
#define ATTEST_BACKENDS_EIGEN_PLANS_H_

#include <cstdint>
#include <memory>

#include "attest/backend.hpp"
#include "attest/half.hpp"
#include "attest/layer_plan.hpp"
#include "attest/thread_pool.hpp"

namespace attest::eigen {

// Plans of io type f32, f16 or bf16 on the pool, which outlives them.
std::unique_ptr<Plan> MakeFlashPlan(const Request& request, ThreadPool& pool);
std::unique_ptr<Plan> MakeUnfusedPlan(const Request& request, ThreadPool& pool);

// The layer around the sdpa that make_sdpa makes.
std::unique_ptr<Plan> MakeLayerPlan(const Request& request, ThreadPool& pool,
                                    const LayerPlan::MakeSdpa& make_sdpa);

// Bytes of scratch those plans allocate; of a layer without its sdpa.
uint64_t FlashBytes(const Request& request, unsigned threads);
uint64_t UnfusedBytes(const Request& request, unsigned threads);
uint64_t LayerBytes(const Request& request, unsigned threads);

// Calls make(Io{}) with the C++ type of an io dtype.
template <typename Make>
auto WithIoType(int32_t dtype, const Make& make) {
  switch (dtype) {
    case ATTEST_F32:
      return make(float{});
    case ATTEST_F16:
      return make(Half{});
    case ATTEST_BF16:
      return make(Bfloat16{});
    default:
      throw Unsupported("the eigen backend knows the io types f32, f16 and bf16");
  }
}

}  // namespace attest::eigen

#endif  // ATTEST_BACKENDS_EIGEN_PLANS_H_
