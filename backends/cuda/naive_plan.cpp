// SPDX-License-Identifier: Apache-2.0
//
// cuda:naive: one launch of naive.cu.
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
  std::string Implementation() const override { return "naive.cu"; }
};

}  // namespace

std::unique_ptr<CudaPlan> MakeNaivePlan(const Request& request, Session& session) {
  return std::make_unique<NaivePlan>(request, session);
}

}  // namespace attest::cuda
