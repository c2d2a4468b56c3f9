// SPDX-License-Identifier: Apache-2.0
//
// Numbers and signatures are those of cublas_api.h, unchanged from cuBLAS 11 to 13.
#include "cublas.h"

#include <dlfcn.h>

#include <cstdlib>
#include <vector>

namespace attest::cuda {
namespace {

constexpr int kNoTranspose = 0, kTranspose = 1;       // cublasOperation_t
constexpr int kCompute32F = 68;                       // cublasComputeType_t
constexpr int kCompute32FPedantic = 69;               // never TF32, whatever the environment says
constexpr int kDefaultAlgorithm = -1;                 // cublasGemmAlgo_t
constexpr int kNoReducedPrecisionReduction = 16;      // cublasMath_t flag
constexpr size_t kWorkspaceBytes = size_t{32} << 20;  // NVIDIA's advice for Hopper

struct Functions {
  int (*create)(void**);
  int (*destroy)(void*);
  int (*set_stream)(void*, cudaStream_t);
  int (*set_workspace)(void*, void*, size_t);
  int (*set_math_mode)(void*, int);
  int (*get_version)(void*, int*);
  const char* (*status_string)(int);
  int (*gemm_batched)(void*, int, int, int, int, int, const void*, const void* const*,
                      cudaDataType_t, int, const void* const*, cudaDataType_t, int, const void*,
                      void* const*, cudaDataType_t, int, int, int, int);
  int (*gemm_strided_batched)(void*, int, int, int, int, int, const void*, const void*,
                              cudaDataType_t, int, long long, const void*, cudaDataType_t, int,
                              long long, const void*, void*, cudaDataType_t, int, long long, int,
                              int, int);
};

struct Library {
  Functions functions{};
  std::string why_missing;
};

// Names for dlopen: by the loader's own path, then the usual folders of toolkit and Python wheels.
std::vector<std::string> Candidates() {
  std::vector<std::string> folders = {"", "/usr/local/cuda/lib64/"};
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char* root = std::getenv(variable)) folders.push_back(std::string(root) + "/lib64/");
  if (const char* environment = std::getenv("VIRTUAL_ENV"))
    for (const char* version : {"3.10", "3.11", "3.12", "3.13", "3.14"})
      for (const char* wheel : {"cu13", "cublas"})
        folders.push_back(std::string(environment) + "/lib/python" + version +
                          "/site-packages/nvidia/" + wheel + "/lib/");
  std::vector<std::string> names;
  for (const char* soname : {"libcublas.so.13", "libcublas.so.12"})
    for (const std::string& folder : folders) names.push_back(folder + soname);
  return names;
}

template <typename Function>
bool Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

Library Open() {
  Library result;
  void* library = nullptr;
  for (const std::string& name : Candidates()) {
    library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) break;
    if (result.why_missing.empty()) result.why_missing = dlerror();
  }
  if (library == nullptr) {
    result.why_missing = "cuBLAS was not found (" + result.why_missing +
                         "): add its folder to LD_LIBRARY_PATH, for a Python wheel "
                         ".../site-packages/nvidia/cu13/lib or .../nvidia/cublas/lib";
    return result;
  }
  Functions& f = result.functions;
  const bool complete = Find(library, "cublasCreate_v2", f.create) &&
                        Find(library, "cublasDestroy_v2", f.destroy) &&
                        Find(library, "cublasSetStream_v2", f.set_stream) &&
                        Find(library, "cublasSetWorkspace_v2", f.set_workspace) &&
                        Find(library, "cublasSetMathMode", f.set_math_mode) &&
                        Find(library, "cublasGetVersion_v2", f.get_version) &&
                        Find(library, "cublasGetStatusString", f.status_string) &&
                        Find(library, "cublasGemmBatchedEx", f.gemm_batched) &&
                        Find(library, "cublasGemmStridedBatchedEx", f.gemm_strided_batched);
  result.why_missing = complete ? "" : std::string("cuBLAS lacks a function: ") + dlerror();
  return result;
}

const Library& TheLibrary() {
  static const Library library = Open();
  return library;
}

void CheckCublas(int status, const char* call) {
  if (status == 0) return;
  throw DeviceError(std::string(call) + ": " + TheLibrary().functions.status_string(status));
}

int ComputeOf(cudaDataType_t type) {
  return type == CUDA_R_32F ? kCompute32FPedantic : kCompute32F;
}

}  // namespace

std::string Cublas::WhyMissing() { return TheLibrary().why_missing; }

Cublas::Cublas(cudaStream_t stream) {
  if (!WhyMissing().empty()) throw Unsupported(WhyMissing());
  const Functions& f = TheLibrary().functions;
  workspace_ = DeviceMemory(kWorkspaceBytes);
  CheckCublas(f.create(&handle_), "cublasCreate");
  try {
    CheckCublas(f.set_stream(handle_, stream), "cublasSetStream");
    CheckCublas(f.set_workspace(handle_, workspace_.data(), workspace_.bytes()),
                "cublasSetWorkspace");
    CheckCublas(f.set_math_mode(handle_, kNoReducedPrecisionReduction), "cublasSetMathMode");
  } catch (...) {
    f.destroy(handle_);
    throw;
  }
}

Cublas::~Cublas() { TheLibrary().functions.destroy(handle_); }

std::string Cublas::Version() const {
  int version = 0;
  CheckCublas(TheLibrary().functions.get_version(handle_, &version), "cublasGetVersion");
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

void Cublas::Run(const Gemm& gemm) {
  const float beta = 0;
  const int compute = ComputeOf(gemm.a_b_type);
  CheckCublas(
      TheLibrary().functions.gemm_batched(
          handle_, gemm.transpose_a ? kTranspose : kNoTranspose, kNoTranspose, gemm.m, gemm.n,
          gemm.k, &gemm.alpha, gemm.a, gemm.a_b_type, gemm.lda, gemm.b, gemm.a_b_type, gemm.ldb,
          &beta, gemm.c, gemm.c_type, gemm.ldc, gemm.batch, compute, kDefaultAlgorithm),
      "cublasGemmBatchedEx");
}

void Cublas::Run(const StridedGemm& gemm) {
  const float alpha = 1, beta = gemm.adds ? 1 : 0;
  CheckCublas(
      TheLibrary().functions.gemm_strided_batched(
          handle_, kTranspose, kNoTranspose, gemm.m, gemm.n, gemm.k, &alpha, gemm.a, gemm.type,
          gemm.lda, 0, gemm.b, gemm.type, gemm.ldb, gemm.stride_b, &beta, gemm.c, gemm.type,
          gemm.ldc, gemm.stride_c, gemm.batch, ComputeOf(gemm.type), kDefaultAlgorithm),
      "cublasGemmStridedBatchedEx");
}

}  // namespace attest::cuda
