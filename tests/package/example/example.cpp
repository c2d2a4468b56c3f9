// SPDX-License-Identifier: Apache-2.0
//
// A backend of its own project: f32, full and causal attention, a row at a time with an online
// softmax from the last key to the first. It uses nothing but the installed headers.
#include <attest/backend.hpp>
#include <attest/sdpa.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

class ExamplePlan : public attest::Plan {
 public:
  explicit ExamplePlan(const attest_problem& problem)
      : problem_(problem), output_(static_cast<size_t>(problem.v_head_size)) {}

  void Bind(attest::Tensors tensors) override {
    q_ = attest::GetTensor(tensors, ATTEST_ROLE_Q);
    k_ = attest::GetTensor(tensors, ATTEST_ROLE_K);
    v_ = attest::GetTensor(tensors, ATTEST_ROLE_V);
    out_ = attest::GetTensor(tensors, ATTEST_ROLE_OUT);
  }

  void Run() override {
    for (int64_t b = 0; b < problem_.batch_size; ++b)
      for (int64_t h = 0; h < problem_.q_num_heads; ++h)
        for (int64_t i = 0; i < problem_.q_sequence_length; ++i) ComputeRow(b, h, i);
  }

  attest::PlanInfo Info() override { return {"example, last key first", Bytes(problem_), 0}; }

  static uint64_t Bytes(const attest_problem& problem) {
    return sizeof(float) * static_cast<uint64_t>(problem.v_head_size);
  }

 private:
  void ComputeRow(int64_t b, int64_t h, int64_t i) {
    const int64_t kv_head = h / (problem_.q_num_heads / problem_.kv_num_heads);
    const attest::KeySpan keys = attest::VisibleKeys(problem_, problem_.kv_sequence_length, i);
    float max = -std::numeric_limits<float>::infinity(), sum = 0;
    std::fill(output_.begin(), output_.end(), 0.0f);
    for (int64_t j = keys.end; j-- > keys.begin;) {
      const float score = Score(b, h, i, kv_head, j);
      const float grown = std::max(max, score);
      const float keep = std::exp(max - grown), p = std::exp(score - grown);
      const float* v = attest::RowOf<float>(v_, b, kv_head, j);
      for (size_t c = 0; c < output_.size(); ++c)
        output_[c] = output_[c] * keep + p * v[static_cast<int64_t>(c) * v_.strides[3]];
      sum = sum * keep + p;
      max = grown;
    }
    float* out = attest::RowOf<float>(out_, b, h, i);
    for (size_t c = 0; c < output_.size(); ++c)
      out[static_cast<int64_t>(c) * out_.strides[3]] = sum > 0 ? output_[c] / sum : 0;
  }

  float Score(int64_t b, int64_t h, int64_t i, int64_t kv_head, int64_t j) const {
    const float* q = attest::RowOf<float>(q_, b, h, i);
    const float* k = attest::RowOf<float>(k_, b, kv_head, j);
    float dot = 0;
    for (int64_t c = 0; c < problem_.head_size; ++c)
      dot += q[c * q_.strides[3]] * k[c * k_.strides[3]];
    return static_cast<float>(problem_.scale) * dot;
  }

  attest_problem problem_;
  std::vector<float> output_;
  attest_tensor q_{}, k_{}, v_{}, out_{};
};

class ExampleBackend : public attest::Backend {
 public:
  static constexpr const char* kName = "example";

  attest::BackendInfo Info() override { return {"none (plain C++)", "1", "none"}; }
  std::vector<attest::Variant> Variants() override {
    return {{"", "plain loops, the last key first, O(1) memory in L", ""}};
  }
  attest::Contract ContractOf(uint32_t, int32_t dtype) override {
    if (dtype != ATTEST_F32) throw attest::Unsupported("the example knows f32 only");
    return {};
  }
  std::optional<std::string> WhyUnsupported(const attest::Request& request) override {
    const attest_problem& problem = request.problem;
    if (problem.op != ATTEST_OP_SDPA) return "the example computes sdpa only";
    if (problem.attn_mask != ATTEST_MASK_NONE || problem.softcap > 0 || problem.has_kv_lengths ||
        problem.outputs != 0)
      return "the example knows no masks, softcap, lengths or further outputs";
    return std::nullopt;
  }
  attest::Workspace WorkspaceOf(const attest::Request& request) override {
    return {ExamplePlan::Bytes(request.problem), 0};
  }
  std::unique_ptr<attest::Plan> Create(const attest::Request& request) override {
    return std::make_unique<ExamplePlan>(request.problem);
  }
};

}  // namespace

ATTEST_BACKEND(ExampleBackend)
