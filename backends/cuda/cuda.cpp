// SPDX-License-Identifier: Apache-2.0
//
// The CUDA backend: one process works on one device, with these variants.
//   cublas  two cuBLAS products with a softmax between them, O(L^2) memory
//   naive   one warp per query row
// f32, f16 and bf16 io; every rule of attest_problem for sdpa and for the layer around it. f32
// stays f32: no TF32, no fast math.
#include <algorithm>
#include <climits>
#include <cstring>

#include "attest/backend.hpp"
#include "attest/layer_plan.hpp"
#include "cublas.h"
#include "device.h"
#include "plan.h"

namespace attest::cuda {
namespace {

// Why cuBLAS does not suit one of the operation's products, or empty.
std::string WhyNotProducts(const Request& request) {
  if (request.problem.op == ATTEST_OP_SDPA) return WhyNotCublas(request);
  const LayerParts parts(request.problem, request.tensors, request.problem.dtype, {});
  for (const auto* maps : {&parts.before(), &parts.after()})
    for (const LinearMap& map : *maps)
      if (std::string why = WhyNotCublas(map); !why.empty()) return why;
  return LayerPlan::WithInside(request, [](const Request& sdpa) { return WhyNotCublas(sdpa); });
}

// Elements of the largest result of a layer's maps; 0 for sdpa.
int64_t LargestMap(const Request& request) {
  if (request.problem.op == ATTEST_OP_SDPA) return 0;
  const LayerParts parts(request.problem, request.tensors, request.problem.dtype, {});
  int64_t most = 0;
  for (const auto* maps : {&parts.before(), &parts.after()})
    for (const LinearMap& map : *maps)
      most = std::max(most, map.y.shape[0] * map.y.shape[1] * map.y.shape[2]);
  return most;
}

enum VariantIndex : uint32_t { kCublasVariant, kNaiveVariant };

constexpr int kFmaRounds = 1 << 14;
constexpr int kFmaBlocksPerMultiprocessor = 32;
constexpr int kReadBlocksPerMultiprocessor = 16;
constexpr int kCeilingRepetitions = 5;  // the best is taken: a ceiling is what is possible

class CudaBackend : public Backend {
 public:
  static constexpr const char* kName = "cuda";

  void Configure(const attest_settings& settings) override { device_ = settings.device; }

  BackendInfo Info() override {
    return {
        "CUDA",
        std::to_string(CUDART_VERSION / 1000) + "." + std::to_string(CUDART_VERSION % 1000 / 10),
        "none"};
  }

  std::vector<Device> Devices() override { return FindDevices(); }

  std::vector<Variant> Variants() override {
    return {{"cublas", "cuBLAS QK^T, softmax kernel, cuBLAS PV, O(L^2) memory", "cuBLAS"},
            {"naive", "one warp per query row, online softmax, O(L) memory", "naive.cu"}};
  }

  Contract ContractOf(uint32_t variant, int32_t dtype) override {
    if (dtype != ATTEST_F32 && dtype != ATTEST_F16 && dtype != ATTEST_BF16)
      throw Unsupported("cuda has f32, f16 and bf16 io");
    Contract contract;
    contract.exp_relative_error = 2 * 0x1p-23;  // expf: at most 2 ulp, CUDA programming guide
    if (variant == kNaiveVariant) contract.flags = ATTEST_CONTRACT_MASKED_NAN_SAFE;
    if (dtype == ATTEST_F16) contract.projections = ATTEST_FORMAT_F16;
    if (dtype == ATTEST_BF16) contract.projections = ATTEST_FORMAT_BF16;
    if (variant == kCublasVariant && dtype == ATTEST_F16)
      contract.probabilities = ATTEST_FORMAT_F16;
    if (variant == kCublasVariant && dtype == ATTEST_BF16)
      contract.probabilities = ATTEST_FORMAT_BF16;
    return contract;
  }

  std::optional<std::string> WhyUnsupported(const Request& request) override {
    const attest_problem& problem = request.problem;
    if (problem.op != ATTEST_OP_SDPA && problem.op != ATTEST_OP_SELF_ATTENTION)
      return "cuda computes sdpa and self_attention only";
    ContractOf(request.variant, problem.dtype);
    if (problem.batch_size * problem.q_num_heads * problem.q_sequence_length > INT_MAX)
      return "a grid takes fewer than 2^31 query rows";
    if (LargestMap(request) > INT_MAX)
      return "a grid takes fewer than 2^31 elements of Q, K, V and OUT";
    if (request.variant == kCublasVariant) {
      std::string why = Cublas::WhyMissing();
      if (why.empty()) why = WhyNotProducts(request);
      if (!why.empty()) return why;
    }
    TheSession();
    if (const cudaError_t status = ProbeKernels(); status != cudaSuccess)
      return std::string("no code for this GPU in the plugin (") + cudaGetErrorString(status) +
             "): build with its ATTEST_CUDA_ARCHITECTURES";
    return std::nullopt;
  }

  Workspace WorkspaceOf(const Request& request) override {
    Workspace workspace;
    workspace.device_bytes = StoredBytes(request.problem);
    for (const attest_tensor* tensor : request.tensors)
      workspace.device_bytes +=
          tensor->extent_bytes + tensor->margin_before_bytes + tensor->margin_after_bytes;
    if (request.variant == kCublasVariant)
      workspace.device_bytes += CublasWorkspaceBytes(request.problem);
    return workspace;
  }

  std::unique_ptr<Plan> Create(const Request& request) override {
    if (request.variant == kCublasVariant) return MakeCublasPlan(request, TheSession());
    return MakeNaivePlan(request, TheSession());
  }

  const void* Extension(const char* name) override;

  // The device that the host chose, opened at the first use. Throws Unsupported, DeviceError.
  // [setup]
  Session& TheSession() {
    if (session_ != nullptr) return *session_;
    const std::vector<Device> devices = FindDevices();
    if (device_ >= devices.size())
      throw Unsupported("CUDA device " + std::to_string(device_) + " of " +
                        std::to_string(devices.size()) + " does not exist");
    Check(cudaSetDevice(static_cast<int>(device_)), "cudaSetDevice");
    session_ = std::make_unique<Session>();
    session_->device = devices[device_];
    return *session_;
  }

 private:
  uint32_t device_ = 0;
  std::unique_ptr<Session> session_;
};

using Exports = detail::Table<CudaBackend>;

CudaPlan& PlanOf(attest_plan* plan) { return static_cast<CudaPlan&>(Exports::Unwrap(plan)); }

uint32_t TimerModes(attest_plan* plan) { return PlanOf(plan).TimerModes(); }

attest_status TimerRun(attest_plan* plan, int32_t mode, double* seconds, attest_message* message) {
  return detail::Guard(message, [&] { *seconds = PlanOf(plan).RunTimed(mode); });
}

template <typename Enqueue>
double BestSeconds(Session& session, Enqueue&& enqueue) {
  double best = 0;
  for (int i = 0; i < kCeilingRepetitions; ++i) {
    Check(cudaEventRecord(session.start, session.stream), "cudaEventRecord");
    Check(enqueue(), "launching ceiling.cu");
    Check(cudaEventRecord(session.stop, session.stream), "cudaEventRecord");
    Check(cudaEventSynchronize(session.stop), "cudaEventSynchronize");
    float milliseconds = 0;
    Check(cudaEventElapsedTime(&milliseconds, session.start, session.stop), "cudaEventElapsedTime");
    const double seconds = 1e-3 * milliseconds;
    best = i == 0 ? seconds : std::min(best, seconds);
  }
  return best;
}

attest_ceiling_values Measure(Session& session, uint64_t footprint_bytes) {
  int index = 0, multiprocessors = 0;
  Check(cudaGetDevice(&index), "cudaGetDevice");
  Check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, index),
        "cudaDeviceGetAttribute");
  const int fma_blocks = multiprocessors * kFmaBlocksPerMultiprocessor;
  const int read_blocks = multiprocessors * kReadBlocksPerMultiprocessor;
  const DeviceMemory sink(size_t{sizeof(float)} * fma_blocks * kCeilingThreads);
  float* sums = reinterpret_cast<float*>(sink.data());
  attest_ceiling_values values{};
  values.size = sizeof values;
  values.f32_fma_flops =
      kFmaFlopsPerRound * kFmaRounds * fma_blocks * kCeilingThreads /
      BestSeconds(session, [&] { return LaunchFma(fma_blocks, kFmaRounds, sums, session.stream); });

  // 16-byte words, and at least one a thread.
  const uint64_t words =
      std::max<uint64_t>(footprint_bytes / 16, uint64_t{1} * read_blocks * kCeilingThreads);
  const DeviceMemory data(words * 16);
  Check(cudaMemsetAsync(data.data(), 0, data.bytes(), session.stream), "cudaMemsetAsync");
  values.read_bytes_per_second =
      static_cast<double>(words * 16) / BestSeconds(session, [&] {
        return LaunchRead(read_blocks, data.data(), words, sums, session.stream);
      });
  return values;
}

attest_status MeasureCeiling(uint32_t, uint64_t footprint_bytes, attest_ceiling_values* values,
                             attest_message* message) {
  return detail::Guard(message, [&] {
    detail::Fill(values, Measure(Exports::Get().backend.TheSession(), footprint_bytes));
  });
}

const void* CudaBackend::Extension(const char* name) {
  static constexpr attest_timer kTimer = {sizeof(attest_timer), TimerModes, TimerRun};
  static constexpr attest_ceiling kCeiling = {sizeof(attest_ceiling), MeasureCeiling};
  if (std::strcmp(name, ATTEST_TIMER_EXTENSION) == 0) return &kTimer;
  if (std::strcmp(name, ATTEST_CEILING_EXTENSION) == 0) return &kCeiling;
  return nullptr;
}

}  // namespace
}  // namespace attest::cuda

ATTEST_BACKEND(attest::cuda::CudaBackend)
