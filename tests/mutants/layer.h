// SPDX-License-Identifier: Apache-2.0
//
// The self-attention layer around a mutant's sdpa, in f32, and the faults that a layer can have.
#ifndef ATTEST_TESTS_MUTANTS_LAYER_H_
#define ATTEST_TESTS_MUTANTS_LAYER_H_

#include <functional>
#include <memory>
#include <vector>

#include "attest/layer.hpp"
#include "mutant.h"

namespace mutants {

class LayerPlan : public attest::Plan {
 public:
  using MakeSdpa = std::function<std::unique_ptr<attest::Plan>(const attest_problem&)>;

  LayerPlan(const attest_problem& problem, Fault fault, const MakeSdpa& make_sdpa);

  void Bind(attest::Tensors tensors) override;
  void Run() override;
  attest::PlanInfo Info() override { return sdpa_->Info(); }

 private:
  void Spoil(std::vector<attest::LinearMap>& maps, const attest_tensor& x) const;
  void SpoilHeads(std::vector<attest_tensor>& tensors) const;

  const attest_problem problem_;
  const Fault fault_;
  std::vector<float> q_, k_, v_, o_;
  std::vector<attest::LinearMap> before_, after_;
  std::vector<attest_tensor> inside_;
  std::unique_ptr<attest::Plan> sdpa_;
};

}  // namespace mutants

#endif  // ATTEST_TESTS_MUTANTS_LAYER_H_
