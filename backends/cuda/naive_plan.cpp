// SPDX-License-Identifier: Apache-2.0
//
// cuda:naive: one launch of naive.cu, and of linear.cu for each linear map of a layer.
#include "plan.h"

namespace attest::cuda {
namespace {

class NaivePlan final : public CudaPlan {
 public:
  using CudaPlan::CudaPlan;

 protected:
  void Launch() override {
    Check(LaunchNaive(dtype(), shape(), pointers(), session().stream), "launching naive.cu");
  }
  void LaunchMap(const DeviceMap& map) override {
    Check(LaunchLinear(dtype(), map.shape, map.tensors, session().stream), "launching linear.cu");
  }
  std::string Implementation() const override { return "naive.cu"; }
  const char* MapImplementation() const override { return "linear.cu"; }
};

}  // namespace

std::unique_ptr<CudaPlan> MakeNaivePlan(const Request& request, Session& session) {
  return std::make_unique<NaivePlan>(request, session);
}

}  // namespace attest::cuda
