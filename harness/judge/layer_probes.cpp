// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/layer_probes.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "harness/core/convert.h"
#include "harness/core/inputs.h"
#include "harness/core/tensors.h"
#include "harness/judge/count.h"
#include "harness/judge/needle.h"

namespace attest::judge {
namespace {

constexpr int64_t kEnoughDimensions = 32;  // of a needle's codes: fewer make a grid

// f64 scratch [B, heads, length, size].
struct Values {
  std::vector<double> data;
  attest_tensor tensor{};

  Values(int32_t role, int64_t batch, int64_t heads, int64_t length, int64_t size)
      : data(static_cast<size_t>(batch * heads * length * size)) {
    const int64_t shape[] = {batch, heads, length, size};
    tensor.size = sizeof tensor;
    tensor.role = role;
    tensor.dtype = ATTEST_F64;
    tensor.rank = 4;
    int64_t stride = 1;
    for (int axis = 3; axis >= 0; --axis) {
      tensor.shape[axis] = shape[axis];
      tensor.strides[axis] = stride;
      stride *= shape[axis];
    }
    tensor.data = data.data();
  }
  double& at(int64_t b, int64_t h, int64_t i, int64_t c) {
    return data[static_cast<size_t>(OffsetOf(tensor, b, h, i, c))];
  }
};

// n -> (n stride + 1) mod size: a permutation that is not its own inverse from a few columns on.
class Scatter {
 public:
  explicit Scatter(int64_t size) : size_(size), stride_(size / 3 + 2) {
    while (std::gcd(stride_, size) != 1) ++stride_;
  }
  int64_t operator()(int64_t n) const { return (n * stride_ + 1) % size_; }

 private:
  int64_t size_, stride_;
};

attest_problem Inside(attest_problem p) {
  p.op = ATTEST_OP_SDPA;
  p.outputs = 0;
  return p;
}

// What both probes need of the layer.
class LayerProbe : public Probe {
 public:
  LayerProbe(const attest_problem& problem, const ProbeOptions& options)
      : p_(problem),
        options_(options),
        columns_(problem.hidden_size),
        outputs_(problem.hidden_size) {}

  int passes() const override { return passes_; }
  const std::string& reason() const override { return reason_; }
  bool Fills(int32_t role) const override {
    return role >= ATTEST_ROLE_X && role <= ATTEST_ROLE_BO;
  }

  void Fill(int pass, const attest_tensor& tensor) const override {
    Clear(tensor);
    const int32_t role = tensor.role;
    const bool of_x = role == ATTEST_ROLE_X, of_y = role == ATTEST_ROLE_X_KV;
    if (of_x || of_y) FillTokens(pass, tensor, of_x, of_y || p_.is_cross == 0);
    if (role == ATTEST_ROLE_WO)
      for (int64_t n = 0; n < p_.q_num_heads * p_.v_head_size; ++n) Set(tensor, outputs_(n), n, 1);
    if (role >= ATTEST_ROLE_WQ && role <= ATTEST_ROLE_WV) FillWeights(tensor);
  }

 protected:
  // X (queries) and the sequence that K and V come from (keys), one tensor or two.
  virtual void FillTokens(int pass, const attest_tensor& tensor, bool queries, bool keys) const = 0;
  virtual void FillWeights(const attest_tensor& tensor) const = 0;

  bool IsTied() const { return p_.structure == ATTEST_STRUCTURE_TIED_QK; }

  // Column of X, and of the sequence that K and V come from: in cross-attention the other way
  // round.
  int64_t QueryColumn(int64_t n) const { return columns_(n); }
  int64_t KeyColumn(int64_t n) const {
    const bool reversed = p_.is_cross != 0 && !IsTied();  // one weight reads both when tied
    return reversed ? p_.hidden_size - 1 - columns_(n) : columns_(n);
  }

  static void Set(const attest_tensor& weight, int64_t row, int64_t column, double value) {
    StoreElement(weight.data, weight.dtype, row * weight.strides[0] + column * weight.strides[1],
                 value);
  }
  static void SetToken(const attest_tensor& x, int64_t b, int64_t i, int64_t column, double value) {
    StoreElement(x.data, x.dtype, b * x.strides[0] + i * x.strides[1] + column * x.strides[2],
                 value);
  }

  double HeadOutput(const attest_tensor& out, int64_t b, int64_t h, int64_t i, int64_t c) const {
    const int64_t n = h * p_.v_head_size + c;
    const int64_t column = p_.has_output_projection != 0 ? outputs_(n) : n;
    return LoadElement(out.data, out.dtype,
                       b * out.strides[0] + i * out.strides[1] + column * out.strides[2]);
  }

  // An output map has rows of zeros where it has more outputs than inputs.
  std::string StrayOutput(const attest_tensor& out) const {
    if (p_.has_output_projection == 0) return "";
    std::vector<bool> used(static_cast<size_t>(p_.hidden_size), false);
    for (int64_t n = 0; n < p_.q_num_heads * p_.v_head_size; ++n)
      used[static_cast<size_t>(outputs_(n))] = true;
    for (int64_t e = 0; e < p_.hidden_size; ++e)
      for (int64_t at = 0; !used[static_cast<size_t>(e)] && at < out.shape[0] * out.shape[1];
           ++at) {
        const int64_t b = at / out.shape[1], i = at % out.shape[1];
        const double got = LoadElement(
            out.data, out.dtype, b * out.strides[0] + i * out.strides[1] + e * out.strides[2]);
        if (!(got == 0))
          return fmt::format("batch {}, row {}, column {}: expected 0, got {:.9g}", b, i, e, got);
      }
    return "";
  }

  // What sdpa's probe has to allow for: operands are rounded on their way into the layer's
  // products, the heads' outputs once more before the output map.
  reference::Rounding Inner(reference::Rounding r) const {
    r.u_op += 2 * r.u_inner;
    if (p_.has_output_projection != 0) {
      r.u_out += r.u_store;
      r.eta_out += r.eta_store;
    }
    return r;
  }
  ProbeOptions InnerOptions() const {
    ProbeOptions inner = options_;
    for (reference::Rounding& rounding : inner.roundings) rounding = Inner(rounding);
    return inner;
  }

  // Why no probe fits the layer; "" = one may.
  std::string WhyNot() const {
    if (p_.structure == ATTEST_STRUCTURE_PARAMETER_FREE)
      return "parameter_free has no weights to make Q, K and V with";
    const int64_t width = p_.q_num_heads * p_.v_head_size;
    if (p_.has_output_projection != 0 && width > p_.hidden_size)
      return fmt::format("an output projection to {} columns keeps not all of the heads' {}",
                         p_.hidden_size, width);
    return "";
  }

  const attest_problem p_;
  const ProbeOptions options_;
  const Scatter columns_, outputs_;
  int passes_ = 0;
  std::string reason_;

 private:
  static void Clear(const attest_tensor& t) {
    const int64_t count = StoredElements(t);
    for (int64_t n = 0; n < count; ++n) StoreElement(t.data, t.dtype, ElementOffset(t, n), 0);
  }
};

// Kv head n belongs to group n mod groups, and so do the query heads that read it.
class LayerNeedle : public LayerProbe {
 public:
  LayerNeedle(const attest_problem& problem, std::shared_ptr<const Visibility> visibility,
              const ProbeOptions& options)
      : LayerProbe(problem, options) {
    reason_ = WhyNot();
    if (reason_.empty() && p_.structure == ATTEST_STRUCTURE_MEAN_POOL)
      reason_ = "mean_pool has no scores";
    if (reason_.empty() && IsTied() && p_.is_cross == 0)
      reason_ = "tied_qk: a query is its own key, and points at itself";
    if (reason_.empty() && visibility->differs_by_head())
      reason_ = "heads share their queries, but the mask differs by head";
    if (!reason_.empty()) return;
    const int64_t most = std::min<int64_t>(2, p_.kv_num_heads);
    SetSizes(most);
    if (most == 2 && size_ < kEnoughDimensions) SetSizes(1);
    attest_problem inside = Inside(problem);
    inside.q_num_heads = inside.kv_num_heads = 1;
    inside.head_size = size_;
    inside.v_head_size = values_;
    if (size_ < 1) {
      reason_ =
          fmt::format("hidden_size {} has no room for a query, a key and a value", p_.hidden_size);
      return;
    }
    for (int64_t g = 0; g < groups_; ++g) {
      ProbeOptions inner = InnerOptions();
      inner.seed += static_cast<uint64_t>(1000 * g);
      needles_.push_back(std::make_unique<Needle>(inside, visibility, inner));
      if (needles_.back()->passes() == 0) reason_ = needles_.back()->reason();
    }
    passes_ = reason_.empty() ? 1 : 0;
    if (passes_ != 0)
      reason_ = fmt::format("{} of {} dimensions a head{}", size_, p_.head_size,
                            groups_ == 2 ? ", two groups of heads" : "");
  }

  std::string_view name() const override { return "needle"; }
  std::string Exempts(const reference::Rounding& rounding) const override {
    return needles_.empty() ? reason_ : needles_[0]->Exempts(Inner(rounding));
  }

  std::string Check(int pass, const attest_tensor& out,
                    const reference::Rounding& rounding) const override {
    for (int64_t h = 0; h < p_.q_num_heads; ++h) {
      const int64_t kv = KvHead(h);
      for (int64_t first = 0; first < p_.v_head_size; first += values_) {
        Values values(ATTEST_ROLE_OUT, p_.batch_size, 1, p_.q_sequence_length, values_);
        for (int64_t b = 0; b < p_.batch_size; ++b)
          for (int64_t i = 0; i < p_.q_sequence_length; ++i)
            for (int64_t n = 0; n < values_; ++n) {
              // V's columns repeat; where the last repetition ends early, those before stand in.
              const int64_t c = first + n < p_.v_head_size ? first + n : first + n - values_;
              values.at(b, 0, i, (c + kv) % values_) = Sign(kv, c) * HeadOutput(out, b, h, i, c);
            }
        const std::string wrong = needles_[static_cast<size_t>(kv % groups_)]->Check(
            pass, values.tensor, Inner(rounding));
        if (!wrong.empty()) return fmt::format("query head {} by itself: {}", h, wrong);
      }
    }
    return StrayOutput(out);
  }

 protected:
  void FillTokens(int pass, const attest_tensor& x, bool queries, bool keys) const override {
    for (int64_t g = 0; g < groups_; ++g) {
      if (queries)
        Copy(pass, g, ATTEST_ROLE_Q, x, p_.q_sequence_length, size_,
             [&](int64_t t) { return QueryColumn(QueryAt(g) + t); });
      if (!keys) continue;
      Copy(pass, g, ATTEST_ROLE_K, x, p_.kv_sequence_length, size_,
           [&](int64_t t) { return KeyColumn(KeyAt(g) + t); });
      Copy(pass, g, ATTEST_ROLE_V, x, p_.kv_sequence_length, values_,
           [&](int64_t c) { return KeyColumn(ValueAt(g) + c); });
    }
  }

  void FillWeights(const attest_tensor& w) const override {
    const bool of_q = w.role == ATTEST_ROLE_WQ, of_v = w.role == ATTEST_ROLE_WV;
    const int64_t heads = of_q ? p_.q_num_heads : p_.kv_num_heads;
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t kv = of_q ? KvHead(h) : h, g = kv % groups_;
      for (int64_t c = 0; of_v && c < p_.v_head_size; ++c)
        Set(w, h * p_.v_head_size + c, KeyColumn(ValueAt(g) + (c + kv) % values_), Sign(kv, c));
      for (int64_t t = 0; !of_v && t < size_; ++t)
        Set(w, h * p_.head_size + t, of_q ? QueryColumn(QueryAt(g) + t) : KeyColumn(KeyAt(g) + t),
            Sign(kv, 4096 + t));
    }
  }

 private:
  void SetSizes(int64_t groups) {
    groups_ = groups;
    const int64_t room = p_.hidden_size / groups;
    values_ = std::min(p_.v_head_size, std::max<int64_t>(1, room / 4));
    size_ = std::min(p_.head_size, p_.is_cross != 0 ? room - values_ : (room - values_) / 2);
  }

  int64_t KvHead(int64_t h) const { return h / (p_.q_num_heads / p_.kv_num_heads); }
  int64_t Room() const { return p_.hidden_size / groups_; }
  // Within a group's columns: V, K, Q; in cross-attention Q has a tensor of its own.
  int64_t ValueAt(int64_t g) const { return g * Room(); }
  int64_t KeyAt(int64_t g) const { return ValueAt(g) + values_; }
  int64_t QueryAt(int64_t g) const { return KeyAt(g) + (p_.is_cross != 0 ? 0 : size_); }

  double Sign(int64_t kv, int64_t n) const {
    return (HashBits(options_.seed, 140, static_cast<uint64_t>(kv * 65536 + n)) & 1) != 0 ? -1 : 1;
  }

  template <typename Column>
  void Copy(int pass, int64_t g, int32_t role, const attest_tensor& x, int64_t length, int64_t size,
            const Column& column) const {
    Values values(role, p_.batch_size, 1, length, size);
    needles_[static_cast<size_t>(g)]->Fill(pass, values.tensor);
    for (int64_t b = 0; b < p_.batch_size; ++b)
      for (int64_t i = 0; i < length; ++i)
        for (int64_t n = 0; n < size; ++n) SetToken(x, b, i, column(n), values.at(b, 0, i, n));
  }

  std::vector<std::unique_ptr<Needle>> needles_;  // one a group
  int64_t groups_ = 1, size_ = 0, values_ = 0;
};

// Wq = Wk = 0; V has a column of X of its own for every kv head and column.
class LayerCount : public LayerProbe {
 public:
  LayerCount(const attest_problem& problem, std::shared_ptr<const Visibility> visibility,
             const ProbeOptions& options)
      : LayerProbe(problem, options) {
    const int64_t width = p_.kv_num_heads * p_.v_head_size;
    reason_ = WhyNot();
    if (reason_.empty() && width > p_.hidden_size)
      reason_ =
          fmt::format("hidden_size {} has no column for each of V's {}", p_.hidden_size, width);
    if (!reason_.empty()) return;
    count_ = std::make_unique<Count>(Inside(problem), std::move(visibility), InnerOptions());
    passes_ = count_->passes();
    reason_ = count_->reason();
  }

  std::string_view name() const override { return "count"; }
  std::string Exempts(const reference::Rounding& rounding) const override {
    return count_ == nullptr ? reason_ : count_->Exempts(Inner(rounding));
  }

  std::string Check(int pass, const attest_tensor& out,
                    const reference::Rounding& rounding) const override {
    Values values(ATTEST_ROLE_OUT, p_.batch_size, p_.q_num_heads, p_.q_sequence_length,
                  p_.v_head_size);
    for (int64_t b = 0; b < p_.batch_size; ++b)
      for (int64_t h = 0; h < p_.q_num_heads; ++h)
        for (int64_t i = 0; i < p_.q_sequence_length; ++i)
          for (int64_t c = 0; c < p_.v_head_size; ++c)
            values.at(b, h, i, c) = HeadOutput(out, b, h, i, c);
    const std::string wrong = count_->Check(pass, values.tensor, Inner(rounding));
    return wrong.empty() ? StrayOutput(out) : wrong;
  }

 protected:
  void FillTokens(int pass, const attest_tensor& x, bool, bool keys) const override {
    if (!keys) return;
    Values values(ATTEST_ROLE_V, p_.batch_size, p_.kv_num_heads, p_.kv_sequence_length,
                  p_.v_head_size);
    count_->Fill(pass, values.tensor);
    for (int64_t b = 0; b < p_.batch_size; ++b)
      for (int64_t h = 0; h < p_.kv_num_heads; ++h)
        for (int64_t j = 0; j < p_.kv_sequence_length; ++j)
          for (int64_t c = 0; c < p_.v_head_size; ++c)
            SetToken(x, b, j, KeyColumn(h * p_.v_head_size + c), values.at(b, h, j, c));
  }

  void FillWeights(const attest_tensor& w) const override {
    if (w.role != ATTEST_ROLE_WV) return;
    for (int64_t n = 0; n < p_.kv_num_heads * p_.v_head_size; ++n) Set(w, n, KeyColumn(n), 1);
  }

 private:
  std::unique_ptr<Count> count_;
};

}  // namespace

std::vector<std::unique_ptr<Probe>> MakeLayerProbes(const attest_problem& problem,
                                                    std::span<const attest_tensor* const> tensors,
                                                    const ProbeOptions& options) {
  const auto visibility = std::make_shared<const Visibility>(Inside(problem), tensors);
  std::vector<std::unique_ptr<Probe>> probes;
  probes.push_back(std::make_unique<LayerNeedle>(problem, visibility, options));
  probes.push_back(std::make_unique<LayerCount>(problem, visibility, options));
  return probes;
}

}  // namespace attest::judge
