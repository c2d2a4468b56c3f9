// SPDX-License-Identifier: Apache-2.0
//
// cuda:cublas, the three-step yardstick: scores = scale Q K^T by cuBLAS into f32, softmax.cu,
// OUT = P V by cuBLAS. O(L^2) device memory: 4 bytes a score, and 2 more for P where io is f16
// or bf16. Every masked score is computed too, so NaN in masked V reaches the output.
//
// cuBLAS is column-major: a row-major matrix is its transpose there, so K Q^T is asked for.
// The linear maps of a layer are products, too: the bias is written to every row of y first, and
// the product added to it.
// Addresses per batch entry and head go through pointer arrays, which makes GQA and any outer
// stride free.
#include <algorithm>
#include <climits>
#include <vector>

#include "cublas.h"
#include "plan.h"

namespace attest::cuda {
namespace {

cudaDataType_t CudaType(int32_t dtype) {
  if (dtype == ATTEST_F16) return CUDA_R_16F;
  return dtype == ATTEST_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

int64_t IoBytes(int32_t dtype) { return dtype == ATTEST_F32 ? 4 : 2; }

int64_t ScoreCount(const attest_problem& problem) {
  return problem.batch_size * problem.q_num_heads * problem.q_sequence_length *
         problem.kv_sequence_length;
}

// Of a matrix with `columns` columns; with one row the stride means nothing, but cuBLAS checks it.
int LeadingDimension(const Strides& strides, int64_t columns) {
  return static_cast<int>(std::max(strides.l, columns));
}

const char* At(const void* base, int64_t elements, int64_t element_bytes) {
  return static_cast<const char*>(base) + elements * element_bytes;
}

class CublasPlan final : public CudaPlan {
 public:
  CublasPlan(const Request& request, Session& session)
      : CudaPlan(request, session),
        batch_(request.problem.batch_size * request.problem.q_num_heads),
        scores_(ScoreCount(request.problem) * sizeof(float)),
        addresses_(kArrays * batch_ * sizeof(void*)) {
    if (dtype() != ATTEST_F32)
      probabilities_ = DeviceMemory(ScoreCount(request.problem) * IoBytes(dtype()));
    if (session.cublas == nullptr) session.cublas = std::make_unique<Cublas>(session.stream);
  }

 protected:
  void OnBind() override {
    FillAddresses();
    const SdpaShape& s = shape();
    const auto array = [this](int index) {
      return reinterpret_cast<void**>(addresses_.data()) + index * batch_;
    };
    const int lq = static_cast<int>(s.q_sequence_length);
    const int lk = static_cast<int>(s.kv_sequence_length);
    const int d = static_cast<int>(s.head_size), dv = static_cast<int>(s.v_head_size);
    const cudaDataType_t io = CudaType(dtype());
    const int batch = static_cast<int>(batch_);
    scores_gemm_ = {true,
                    lk,
                    lq,
                    d,
                    s.scale,
                    array(0),
                    array(1),
                    array(2),
                    io,
                    CUDA_R_32F,
                    LeadingDimension(s.k, d),
                    LeadingDimension(s.q, d),
                    lk,
                    batch};
    values_gemm_ = {false,
                    dv,
                    lq,
                    lk,
                    1.0f,
                    array(3),
                    array(4),
                    array(5),
                    io,
                    io,
                    LeadingDimension(s.v, dv),
                    lk,
                    LeadingDimension(s.out, dv),
                    batch};
  }

  void Launch() override {
    session().cublas->Run(scores_gemm_);
    Check(LaunchSoftmax(dtype(), shape(), pointers(), Scores(), Probabilities(), session().stream),
          "launching softmax.cu");
    session().cublas->Run(values_gemm_);
  }

  void LaunchMap(const DeviceMap& map) override {
    const LinearShape& s = map.shape;
    const bool has_bias = map.tensors.bias != nullptr;
    if (has_bias)
      Check(LaunchBias(dtype(), s, map.tensors, session().stream),
            "launching the bias of linear.cu");
    StridedGemm gemm;
    gemm.m = static_cast<int>(s.out);
    gemm.n = static_cast<int>(s.rows);
    gemm.k = static_cast<int>(s.in);
    gemm.adds = has_bias;
    gemm.a = map.tensors.weight;
    gemm.b = map.tensors.x;
    gemm.c = map.tensors.y;
    gemm.type = CudaType(dtype());
    gemm.lda = LeadingDimension(s.weight, s.in);
    gemm.ldb = LeadingDimension(s.x, s.in);
    gemm.ldc = LeadingDimension(s.y, s.out);
    gemm.stride_b = s.x.b;
    gemm.stride_c = s.y.b;
    gemm.batch = static_cast<int>(s.matrices);
    session().cublas->Run(gemm);
  }

  const char* MapImplementation() const override { return "cublasGemmStridedBatchedEx"; }
  std::string Implementation() const override {
    const char* products = dtype() == ATTEST_F32 ? "f32, no TF32" : "f32 accumulation";
    return "cuBLAS " + session().cublas->Version() + " cublasGemmBatchedEx (" + products +
           ") + softmax.cu";
  }
  uint64_t WorkspaceBytes() const override {
    return scores_.bytes() + probabilities_.bytes() + addresses_.bytes();
  }

 private:
  static constexpr int kArrays = 6;

  float* Scores() const { return reinterpret_cast<float*>(scores_.data()); }
  void* Probabilities() const {
    return dtype() == ATTEST_F32 ? scores_.data() : probabilities_.data();
  }

  // K, Q, scores; V, P, OUT of every batch entry and query head.
  void FillAddresses() {
    const SdpaShape& s = shape();
    const SdpaPointers& p = pointers();
    const int64_t io = IoBytes(dtype());
    const int64_t block = s.q_sequence_length * s.kv_sequence_length;
    std::vector<const void*> host(kArrays * batch_);
    for (int64_t i = 0; i < batch_; ++i) {
      const int64_t b = i / s.q_num_heads, h = i % s.q_num_heads, kv = KvHead(s, h);
      const void* const row[kArrays] = {
          At(p.k, Offset(s.k, b, kv, 0, 0), io),  At(p.q, Offset(s.q, b, h, 0, 0), io),
          At(Scores(), i * block, sizeof(float)), At(p.v, Offset(s.v, b, kv, 0, 0), io),
          At(Probabilities(), i * block, io),     At(p.out, Offset(s.out, b, h, 0, 0), io)};
      for (int array = 0; array < kArrays; ++array) host[array * batch_ + i] = row[array];
    }
    Check(cudaMemcpy(addresses_.data(), host.data(), addresses_.bytes(), cudaMemcpyHostToDevice),
          "cudaMemcpy of addresses");
  }

  const int64_t batch_;
  DeviceMemory scores_, probabilities_, addresses_;
  Gemm scores_gemm_, values_gemm_;
};

}  // namespace

uint64_t CublasWorkspaceBytes(const attest_problem& problem) {
  const int64_t p_bytes = problem.dtype == ATTEST_F32 ? 0 : IoBytes(problem.dtype);
  return static_cast<uint64_t>(ScoreCount(problem)) * (sizeof(float) + p_bytes);
}

std::string WhyNotCublas(const Request& request) {
  for (const int32_t role : {ATTEST_ROLE_Q, ATTEST_ROLE_K, ATTEST_ROLE_V, ATTEST_ROLE_OUT}) {
    const attest_tensor& tensor = GetTensor(request.tensors, role);
    if (tensor.shape[3] > 1 && tensor.strides[3] != 1)
      return "cuBLAS needs head_size contiguous in Q, K, V and OUT";
    if (tensor.shape[2] > 1 && tensor.strides[2] < tensor.shape[3])
      return "cuBLAS needs rows of Q, K, V and OUT that do not overlap";
    if (std::max({tensor.shape[2], tensor.shape[3], tensor.strides[2]}) > INT_MAX)
      return "cuBLAS takes lengths, sizes and strides below 2^31";
  }
  if (request.problem.batch_size * request.problem.q_num_heads > INT_MAX)
    return "cuBLAS takes fewer than 2^31 matrices";
  return "";
}

std::string WhyNotCublas(const LinearMap& map) {
  for (const attest_tensor* tensor : {&map.x, &map.weight, &map.y}) {
    const int last = tensor->rank - 1;
    if (tensor->shape[last] > 1 && tensor->strides[last] != 1)
      return "cuBLAS needs contiguous rows of X, the weights and OUT";
    if (tensor->shape[last - 1] > 1 && tensor->strides[last - 1] < tensor->shape[last])
      return "cuBLAS needs rows of X, the weights and OUT that do not overlap";
    if (std::max(tensor->shape[last], tensor->strides[last - 1]) > INT_MAX)
      return "cuBLAS takes sizes and strides below 2^31";
  }
  return "";
}

std::unique_ptr<CudaPlan> MakeCublasPlan(const Request& request, Session& session) {
  return std::make_unique<CublasPlan>(request, session);
}

}  // namespace attest::cuda
