// SPDX-License-Identifier: Apache-2.0
#include "layer.h"

#include <cmath>
#include <utility>

namespace mutants {
namespace {

float& At(const attest_tensor& tensor, int64_t offset) {
  return static_cast<float*>(tensor.data)[offset];
}

// y = x W^T + b, one dot product after another.
void Apply(const attest::LinearMap& map) {
  const auto &x = map.x, &w = map.weight, &y = map.y;
  for (int64_t b = 0; b < y.shape[0]; ++b)
    for (int64_t i = 0; i < y.shape[1]; ++i)
      for (int64_t n = 0; n < y.shape[2]; ++n) {
        float sum = map.bias.role == 0 ? 0 : At(map.bias, n * map.bias.strides[0]);
        for (int64_t t = 0; t < w.shape[1]; ++t)
          sum += At(x, b * x.strides[0] + i * x.strides[1] + t * x.strides[2]) *
                 At(w, n * w.strides[0] + t * w.strides[1]);
        At(y, b * y.strides[0] + i * y.strides[1] + n * y.strides[2]) = sum;
      }
}

attest_problem InsideOf(const attest_problem& problem, Fault fault) {
  attest_problem inside = attest::SdpaInside(problem);
  if (fault == Fault::kScaleOfHidden)
    inside.scale = 1 / std::sqrt(static_cast<double>(problem.hidden_size));
  return inside;
}

}  // namespace

LayerPlan::LayerPlan(const attest_problem& problem, Fault fault, const MakeSdpa& make_sdpa)
    : problem_(problem), fault_(fault), sdpa_(make_sdpa(InsideOf(problem, fault))) {
  const attest::LayerScratch scratch = attest::ScratchOf(problem);
  q_.resize(static_cast<size_t>(scratch.q));
  k_.resize(static_cast<size_t>(scratch.k));
  v_.resize(static_cast<size_t>(scratch.v));
  o_.resize(static_cast<size_t>(scratch.o));
}

void LayerPlan::Bind(attest::Tensors tensors) {
  const attest::LayerParts parts(problem_, tensors, ATTEST_F32,
                                 {q_.data(), k_.data(), v_.data(), o_.data()});
  before_ = parts.before();
  after_ = parts.after();
  inside_ = parts.sdpa();
  Spoil(before_, attest::GetTensor(tensors, ATTEST_ROLE_X));
  Spoil(after_, attest::GetTensor(tensors, ATTEST_ROLE_X));
  SpoilHeads(inside_);
  const auto pointers = attest::PointersTo(inside_);
  sdpa_->Bind(pointers);
}

void LayerPlan::Run() {
  for (const attest::LinearMap& map : before_) Apply(map);
  sdpa_->Run();
  sdpa_->Sync();
  for (const attest::LinearMap& map : after_) Apply(map);
}

void LayerPlan::Spoil(std::vector<attest::LinearMap>& maps, const attest_tensor& x) const {
  attest_tensor keys{};
  for (attest::LinearMap& map : maps) {
    attest_tensor& w = map.weight;
    if (w.role == ATTEST_ROLE_WK) keys = w;
    if (fault_ == Fault::kKeysForValues && w.role == ATTEST_ROLE_WV) w = keys;
    if (fault_ == Fault::kBiasForgotten) map.bias = {};
    if (fault_ == Fault::kWeightNotTransposed && w.shape[0] == w.shape[1])
      std::swap(w.strides[0], w.strides[1]);
    if (fault_ == Fault::kValuesOfQueries && map.x.role == ATTEST_ROLE_X_KV &&
        x.shape[1] >= map.x.shape[1])
      map.x = x;
  }
}

// Head h at t is column t H + h.
void LayerPlan::SpoilHeads(std::vector<attest_tensor>& tensors) const {
  if (fault_ != Fault::kHeadsInterleaved) return;
  for (attest_tensor& tensor : tensors) {
    const bool of_heads = tensor.role == ATTEST_ROLE_Q || tensor.role == ATTEST_ROLE_K ||
                          tensor.role == ATTEST_ROLE_V || tensor.role == ATTEST_ROLE_OUT;
    if (!of_heads) continue;
    tensor.strides[1] = tensor.strides[3];
    tensor.strides[3] *= tensor.shape[1];
  }
}

}  // namespace mutants
