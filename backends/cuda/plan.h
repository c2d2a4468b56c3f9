// SPDX-License-Identifier: Apache-2.0
//
// What all CUDA plans share: tensors on the device with their margins, a stream, device times, the
// run captured as a graph, and the parts of a layer in their order. A variant adds its launches of
// sdpa and of a linear map, and its workspace.
#ifndef ATTEST_CUDA_PLAN_H_
#define ATTEST_CUDA_PLAN_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "attest/backend.hpp"
#include "attest/layer.hpp"
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
  // A linear map with its tensors on the device.
  struct DeviceMap {
    LinearShape shape;
    LinearPointers tensors;
  };

  // Enqueues sdpa on the session's stream: the operation, or the layer's part. [timed]
  virtual void Launch() = 0;
  // Enqueues a linear map of a layer. [timed]
  virtual void LaunchMap(const DeviceMap& map) = 0;
  // Called at the end of Bind, with pointers() up to date. [setup]
  virtual void OnBind() {}
  virtual std::string Implementation() const = 0;
  virtual const char* MapImplementation() const = 0;
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
  attest_tensor Uploaded(const attest_tensor& tensor);
  void PlaceParts(const std::vector<attest_tensor>& tensors);
  void LaunchAll();
  void Capture();

  Session& session_;
  const attest_problem problem_;
  const int32_t dtype_;
  DeviceMemory stored_;  // between a layer's parts; zeros, which mean_pool's Q and K stay
  std::vector<DeviceMap> before_, after_;
  SdpaShape shape_;
  SdpaPointers pointers_{};
  std::map<int32_t, Bound> bound_;  // by role
  cudaGraphExec_t graph_ = nullptr;
};

// Bytes of a layer's tensors that are stored between its parts; 0 for sdpa.
uint64_t StoredBytes(const attest_problem& problem);

// naive_plan.cpp and cublas_plan.cpp. Throw DeviceError, OutOfMemory. [setup]
std::unique_ptr<CudaPlan> MakeNaivePlan(const Request& request, Session& session);
std::unique_ptr<CudaPlan> MakeCublasPlan(const Request& request, Session& session);
uint64_t CublasWorkspaceBytes(const attest_problem& problem);
// Why the strides or sizes of an sdpa request, or of a layer's map, do not suit a matrix product,
// or empty.
std::string WhyNotCublas(const Request& request);
std::string WhyNotCublas(const LinearMap& map);

}  // namespace attest::cuda

#endif  // ATTEST_CUDA_PLAN_H_
