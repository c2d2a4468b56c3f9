// SPDX-License-Identifier: Apache-2.0
//
// f16 attention of one query a head, correct but for one thing: the byte offset of a row of K is
// kept in ATTEST_STUB_OFFSET, 32 bits wide, as where a size has been multiplied in int. Wrong from
// 2 or 4 GiB of K on, and right below.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "attest/backend.hpp"
#include "attest/half.hpp"
#include "attest/sdpa.hpp"

namespace stubs {
namespace {

class NarrowPlan : public attest::Plan {
 public:
  explicit NarrowPlan(const attest_problem& problem) : p_(problem) {}

  void Bind(attest::Tensors tensors) override {
    q_ = attest::GetTensor(tensors, ATTEST_ROLE_Q);
    k_ = attest::GetTensor(tensors, ATTEST_ROLE_K);
    v_ = attest::GetTensor(tensors, ATTEST_ROLE_V);
    out_ = attest::GetTensor(tensors, ATTEST_ROLE_OUT);
  }

  void Run() override {
    const int64_t rows = p_.batch_size * p_.q_num_heads;
    const int64_t workers = std::max(1u, std::thread::hardware_concurrency());
    std::vector<std::jthread> pool;
    for (int64_t n = 0; n < workers; ++n)
      pool.emplace_back([this, first = rows * n / workers, last = rows * (n + 1) / workers] {
        std::vector<float> scores(static_cast<size_t>(p_.kv_sequence_length));
        for (int64_t row = first; row < last; ++row)
          Compute(row / p_.q_num_heads, row % p_.q_num_heads, scores);
      });
  }

  attest::PlanInfo Info() override { return {"narrow offsets", 0, 0}; }

 private:
  const attest::Half* KeyRow(int64_t b, int64_t h, int64_t j) const {
    const int64_t bytes = 2 * (b * k_.strides[0] + h * k_.strides[1] + j * k_.strides[2]);
    const auto narrow = static_cast<ATTEST_STUB_OFFSET>(bytes);
    return reinterpret_cast<const attest::Half*>(static_cast<const char*>(k_.data) +
                                                 static_cast<int64_t>(narrow));
  }

  void Compute(int64_t b, int64_t h, std::vector<float>& scores) const {
    const auto* q = attest::RowOf<attest::Half>(q_, b, h, 0);
    std::vector<float> query, output(static_cast<size_t>(p_.v_head_size));
    for (int64_t t = 0; t < p_.head_size; ++t) query.push_back(attest::ToFloat(q[t]));
    float max = -INFINITY, sum = 0;
    for (size_t j = 0; j < scores.size(); ++j) {
      const attest::Half* key = KeyRow(b, h, static_cast<int64_t>(j));
      float dot = 0;
      for (size_t t = 0; t < query.size(); ++t) dot += query[t] * attest::ToFloat(key[t]);
      scores[j] = dot * static_cast<float>(p_.scale);
      max = std::max(max, scores[j]);
    }
    for (size_t j = 0; j < scores.size(); ++j) {
      const float p = std::exp(scores[j] - max);
      const auto* v = attest::RowOf<attest::Half>(v_, b, h, static_cast<int64_t>(j));
      sum += p;
      for (size_t c = 0; c < output.size(); ++c) output[c] += p * attest::ToFloat(v[c]);
    }
    auto* out = attest::RowOf<attest::Half>(out_, b, h, 0);
    for (size_t c = 0; c < output.size(); ++c) out[c] = attest::ToHalf(output[c] / sum);
  }

  const attest_problem p_;
  attest_tensor q_{}, k_{}, v_{}, out_{};
};

class NarrowBackend : public attest::Backend {
 public:
  static inline const char* const kName = ATTEST_STUB_NAME;

  attest::BackendInfo Info() override { return {"none (plain C++)", "1", "none"}; }
  std::vector<attest::Variant> Variants() override { return {{"", "K is indexed in 32 bits", ""}}; }
  attest::Contract ContractOf(uint32_t, int32_t dtype) override {
    if (dtype != ATTEST_F16) throw attest::Unsupported("f16 only");
    return {};
  }
  std::optional<std::string> WhyUnsupported(const attest::Request& request) override {
    const attest_problem& p = request.problem;
    const bool plain = p.q_sequence_length == 1 && p.q_num_heads == p.kv_num_heads &&
                       !p.is_causal && p.attn_mask == ATTEST_MASK_NONE && !p.has_kv_lengths &&
                       p.left_window_size < 0 && p.right_window_size < 0 && p.softcap == 0 &&
                       p.outputs == 0;
    if (p.op != ATTEST_OP_SDPA || p.dtype != ATTEST_F16 || !plain)
      return "one query a head, full attention, f16";
    return std::nullopt;
  }
  attest::Workspace WorkspaceOf(const attest::Request&) override { return {0, 0}; }
  std::unique_ptr<attest::Plan> Create(const attest::Request& request) override {
    return std::make_unique<NarrowPlan>(request.problem);
  }
};

}  // namespace
}  // namespace stubs

ATTEST_BACKEND(stubs::NarrowBackend)
