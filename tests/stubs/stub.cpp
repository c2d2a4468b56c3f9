// SPDX-License-Identifier: Apache-2.0
//
// A correct f32 sdpa backend (full, causal, windows, GQA; rows in f64, one after another) that can
// be made wrong in one way, by the name in fault.h. Compiled once for all stubs.
#include <cmath>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "attest/backend.hpp"
#include "attest/sdpa.hpp"
#include "fault.h"
#include "harm.h"

namespace stubs {
namespace {

class StubPlan : public attest::Plan {
 public:
  explicit StubPlan(const attest_problem& problem) : problem_(problem) {}

  void Bind(attest::Tensors tensors) override {
    q_ = attest::GetTensor(tensors, ATTEST_ROLE_Q);
    k_ = attest::GetTensor(tensors, ATTEST_ROLE_K);
    v_ = attest::GetTensor(tensors, ATTEST_ROLE_V);
    out_ = attest::GetTensor(tensors, ATTEST_ROLE_OUT);
    has_computed_ = false;
  }

  void Run() override {
    if (HarmBefore(q_, k_, out_)) return;
    if (Is("skips_calls") && has_computed_) return;
    if (Is("shape_cache")) {
      if (!AnswerFromCache()) Compute();
      Cache()[Key()].assign(Bytes(), Bytes() + out_.extent_bytes);
    } else {
      Compute();
      if (Is("tenth_call_twice") && ++calls_ % 10 == 0) Compute();
    }
    has_computed_ = true;
    HarmAfter(out_);
  }

  attest::PlanInfo Info() override {
    return {Is("silent_fallback") ? "reference:any" : "stub loops", 0, 0};
  }

 private:
  using Shape = std::vector<int64_t>;
  static std::map<Shape, std::vector<char>>& Cache() {
    static std::map<Shape, std::vector<char>> cache;
    return cache;
  }
  Shape Key() const {
    return {problem_.batch_size,        problem_.q_num_heads,        problem_.kv_num_heads,
            problem_.q_sequence_length, problem_.kv_sequence_length, problem_.head_size,
            problem_.v_head_size,       problem_.is_causal};
  }
  char* Bytes() const { return static_cast<char*>(out_.data); }
  bool AnswerFromCache() const {
    const auto found = Cache().find(Key());
    if (found == Cache().end() || found->second.size() != out_.extent_bytes) return false;
    std::memcpy(out_.data, found->second.data(), out_.extent_bytes);
    return true;
  }

  void Compute() const {
    for (int64_t b = 0; b < problem_.batch_size; ++b)
      for (int64_t h = 0; h < problem_.q_num_heads; ++h)
        for (int64_t i = 0; i < problem_.q_sequence_length; ++i) ComputeRow(b, h, i);
  }

  double Score(const float* q, const float* k) const {
    double dot = 0;
    for (int64_t c = 0; c < problem_.head_size; ++c)
      dot += static_cast<double>(q[c * q_.strides[3]]) * k[c * k_.strides[3]];
    return dot * problem_.scale;
  }

  void ComputeRow(int64_t b, int64_t h, int64_t i) const {
    const int64_t kv_head = h / (problem_.q_num_heads / problem_.kv_num_heads);
    const attest::KeySpan keys =
        attest::VisibleKeys(problem_, attest::KvLength(problem_, nullptr, b), i);
    const float* q = attest::RowOf<float>(q_, b, h, i);
    double max = -INFINITY, sum = 0;
    for (int64_t j = keys.begin; j < keys.end; ++j)
      max = std::fmax(max, Score(q, attest::RowOf<float>(k_, b, kv_head, j)));
    std::vector<double> row(problem_.v_head_size);
    for (int64_t j = keys.begin; j < keys.end; ++j) {
      const double p = std::exp(Score(q, attest::RowOf<float>(k_, b, kv_head, j)) - max);
      const float* v = attest::RowOf<float>(v_, b, kv_head, j);
      sum += p;
      for (int64_t c = 0; c < problem_.v_head_size; ++c) row[c] += p * v[c * v_.strides[3]];
    }
    float* out = attest::RowOf<float>(out_, b, h, i);
    for (int64_t c = 0; c < problem_.v_head_size; ++c)
      out[c * out_.strides[3]] = sum > 0 ? static_cast<float>(row[c] / sum) : 0.0f;
  }

  const attest_problem problem_;
  attest_tensor q_{}, k_{}, v_{}, out_{};
  bool has_computed_ = false;
  int calls_ = 0;
};

constexpr double kDeviceSeconds = 0x1p-20;  // about a microsecond

// A device's clock that always says the same, but where the stub is about its gaps.
double LastSeconds(attest_plan*) {
  static int calls = 0;
  return Is("device_clock_gaps") && ++calls % 2 == 0 ? 0 : kDeviceSeconds;
}
uint32_t NoModes(attest_plan*) { return 0; }
attest_status NoTimedRun(attest_plan*, int32_t, double*, attest_message*) {
  return ATTEST_UNSUPPORTED;
}

class StubBackend : public attest::Backend {
 public:
  static inline const char* const kName = Is("bad_name") ? "Bad-Name" : kFaultName;

  attest::BackendInfo Info() override { return {"stub", "1", "none"}; }
  std::vector<attest::Device> Devices() override {
    if (Is("unavailable")) throw attest::Unsupported("no driver for the stub's device");
    return Backend::Devices();
  }
  std::vector<attest::Variant> Variants() override {
    if (Is("unsorted_variants")) return {{"b", "second", ""}, {"a", "first", ""}};
    return {{"", "double-precision rows", Is("silent_fallback") ? "brgemm|jit" : ""}};
  }
  attest::Contract ContractOf(uint32_t, int32_t dtype) override {
    if (dtype != ATTEST_F32) throw attest::Unsupported("stubs compute f32 only");
    attest::Contract contract;
    if (Is("unknown_format")) contract.accumulate = 99;
    return contract;
  }
  std::optional<std::string> WhyUnsupported(const attest::Request& request) override {
    const attest_problem& p = request.problem;
    if (p.op != ATTEST_OP_SDPA || p.dtype != ATTEST_F32) return "stubs compute sdpa in f32 only";
    if (p.attn_mask != ATTEST_MASK_NONE || p.has_kv_lengths || p.softcap > 0 || p.outputs != 0)
      return "stubs have no mask tensor, no lengths, no softcap and no further outputs";
    return std::nullopt;
  }
  attest::Workspace WorkspaceOf(const attest::Request&) override { return {}; }
  std::unique_ptr<attest::Plan> Create(const attest::Request& request) override {
    if (Is("lies_unsupported")) throw attest::Unsupported("supports said yes, plan_create says no");
    return std::make_unique<StubPlan>(request.problem);
  }
  const void* Extension(const char* name) override {
    static attest_timer timer{sizeof timer, NoModes, NoTimedRun, LastSeconds};
    if (Is("device_clock_older")) timer.size = offsetof(attest_timer, last_seconds);
    const bool has_clock = std::string_view(kFaultName).starts_with("device_clock");
    return has_clock && std::string_view(name) == ATTEST_TIMER_EXTENSION ? &timer : nullptr;
  }
};

attest_status Throw(attest_plan*, attest_message*) {
  throw std::runtime_error("thrown on purpose");
}

// A table larger than this header knows, as a plugin of a later minor version hands it out.
struct LaterTable {
  attest_backend known;
  void* appended[4];
};

const attest_backend* MakeTable(uint32_t host_abi_version) {
  static LaterTable later{};
  attest_backend& table = later.known;
  table = *attest::detail::Table<StubBackend>::Entry(host_abi_version);
  if (Is("throws")) table.plan_run = Throw;
  if (Is("wrong_major")) table.abi_version = (ATTEST_ABI_MAJOR + 1) << 16;
  if (Is("size_zero")) table.size = 0;
  if (Is("missing_functions")) table.variant_info = nullptr, table.plan_sync = nullptr;
  if (Is("older_minor")) {  // ends before the last, optional field; what follows is no part of it
    table.size = offsetof(attest_backend, get_extension);
    table.get_extension = reinterpret_cast<const void* (*)(const char*)>(16);
  }
  if (Is("newer_minor")) {
    table.abi_version = ATTEST_ABI_VERSION + 7;
    table.size = sizeof later;
  }
  return &table;
}

}  // namespace
}  // namespace stubs

extern "C" ATTEST_EXPORT const attest_backend* attest_backend_entry(uint32_t host_abi_version) {
  if (stubs::Is("null_table")) return nullptr;
  stubs::HarmAtLoad();
  return stubs::MakeTable(host_abi_version);
}
