// SPDX-License-Identifier: Apache-2.0
//
// What all CUDA plans share: tensors on the device with their margins, a stream, device times, and
// the run captured as a graph. A variant adds its launches and its workspace.
#ifndef ATTEST_CUDA_PLAN_H_
#define ATTEST_CUDA_PLAN_H_

#include <map>
#include <memory>
#include <string>

#include "attest/backend.hpp"
#include "device.h"
#include "index_math.h"
#include "kernels.h"

namespace attest::cuda {

class Cublas;

// Of the process, for its one device.
struct Session {
  Session();
  ~Session();
  Session(const Session&) = delete;

  Device device;
  cudaStream_t stream = nullptr;
  cudaEvent_t start = nullptr, stop = nullptr;
  DeviceMemory flush;              // twice the L2 cache: writing it evicts the tensors
  std::unique_ptr<Cublas> cublas;  // null until the first plan that needs it
};

class CudaPlan : public Plan {
 public:
  CudaPlan(const Request& request, Session& session);
  ~CudaPlan() override;

  void Bind(Tensors tensors) final;
  void Run() final;
  void Sync() final;
  void Download() final;
  PlanInfo Info() final;

  // Bits 1 << ATTEST_TIMER_*.
  uint32_t TimerModes() const;
  // Runs once in that mode and waits; seconds between events around the work. [timed]
  double RunTimed(int32_t mode);

 protected:
  // Enqueues the whole operation on the session's stream. [timed]
  virtual void Launch() = 0;
  // Called at the end of Bind, with pointers() up to date. [setup]
  virtual void OnBind() {}
  virtual std::string Implementation() const = 0;
  virtual uint64_t WorkspaceBytes() const { return 0; }

  Session& session() const { return session_; }
  const SdpaShape& shape() const { return shape_; }
  const SdpaPointers& pointers() const { return pointers_; }
  int32_t dtype() const { return dtype_; }

 private:
  struct Bound {
    char* host = nullptr;  // start of the margin before the data
    uint64_t bytes = 0;    // margins and data
    uint64_t pad = 0;      // before the margin on the device, so that the data is aligned
    DeviceMemory memory;
  };
  void BindOne(const attest_tensor& tensor);
  void Capture();

  Session& session_;
  const int32_t dtype_;
  SdpaShape shape_;
  SdpaPointers pointers_{};
  std::map<int32_t, Bound> bound_;  // by role
  cudaGraphExec_t graph_ = nullptr;
};

// naive_plan.cpp and cublas_plan.cpp. Throw DeviceError, OutOfMemory. [setup]
std::unique_ptr<CudaPlan> MakeNaivePlan(const Request& request, Session& session);
std::unique_ptr<CudaPlan> MakeCublasPlan(const Request& request, Session& session);
uint64_t CublasWorkspaceBytes(const attest_problem& problem);
// Why the request's strides or sizes do not suit a matrix product, or empty.
std::string WhyNotCublas(const Request& request);

}  // namespace attest::cuda

#endif  // ATTEST_CUDA_PLAN_H_
