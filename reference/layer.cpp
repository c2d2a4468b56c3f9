// SPDX-License-Identifier: Apache-2.0
//
// The self-attention layer: projections, the sdpa oracle on what they give, and the output map,
// each with the bound of all that came before it. README.md, "The layer".
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include "reference/bound.h"
#include "reference/linear.h"
#include "reference/oracle.h"
#include "reference/projection.h"
#include "reference/rounding.h"
#include "reference/solve.h"

namespace attest::reference {
namespace {

constexpr double kInflation = 1 + 0x1p-20;  // the bound's own rounding, as in bound.cpp
constexpr double kDoubleRoundoff = 0x1p-53;
constexpr int64_t kRangeTokens = 64;  // whose values show the range behind an output map

bool IsMapped(const attest_problem& p) { return p.has_output_projection != 0; }

void CheckLayer(const attest_problem& p) {
  if (p.op != ATTEST_OP_SELF_ATTENTION) {
    throw std::invalid_argument("the oracle of the layer was given operation " +
                                std::to_string(p.op));
  }
  CheckSizes(p);
  if (p.hidden_size <= 0) throw std::invalid_argument("hidden_size must be above 0");
  const bool free = p.structure == ATTEST_STRUCTURE_PARAMETER_FREE;
  const bool as_wide = p.hidden_size == p.q_num_heads * p.head_size &&
                       p.kv_num_heads == p.q_num_heads && p.v_head_size == p.head_size &&
                       p.has_bias == 0 && p.has_output_projection == 0;
  if (free && !as_wide) throw std::invalid_argument("parameter_free takes the heads from X as is");
  if (p.structure == ATTEST_STRUCTURE_TIED_QK && p.kv_num_heads != p.q_num_heads) {
    throw std::invalid_argument("tied_qk needs as many heads of K as of Q");
  }
  if (p.is_cross == 0 && p.kv_sequence_length != p.q_sequence_length) {
    throw std::invalid_argument("keys of another length need X_KV");
  }
}

// Rows of OUT that are wanted, and the rows of sdpa (over q_num_heads) that they are made of.
struct LayerRows {
  std::vector<int64_t> output, heads, positions;

  LayerRows(const attest_problem& p, const std::vector<int64_t>& asked) : output(asked) {
    if (asked.empty()) {
      for (int64_t row = 0; row < RowCount(p); ++row) output.push_back(row);
    }
    std::sort(output.begin(), output.end());
    output.erase(std::unique(output.begin(), output.end()), output.end());
    const int64_t length = p.q_sequence_length, of_output = OutputHeads(p);
    for (const int64_t row : output) {
      const int64_t b = row / length / of_output, i = row % length;
      positions.push_back(b * length + i);
      if (!IsMapped(p)) heads.push_back(row);
      for (int64_t h = 0; IsMapped(p) && h < p.q_num_heads; ++h) {
        heads.push_back((b * p.q_num_heads + h) * length + i);
      }
    }
    std::sort(heads.begin(), heads.end());
    std::sort(positions.begin(), positions.end());
    positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  }

  // Where in an answer over `heads` row (b, h, i) of sdpa lies.
  int64_t SlotOf(int64_t row) const {
    return std::lower_bound(heads.begin(), heads.end(), row) - heads.begin();
  }
};

class Layer {
 public:
  Layer(const attest_problem& problem, Tensors tensors, const Options& options)
      : p_(problem),
        tensors_(tensors),
        options_(options),
        rows_(problem, options.rows),
        projections_(problem, tensors, rows_.positions, std::max(1U, options.threads)) {
    if (!IsMapped(p_)) return;
    const int64_t width = p_.q_num_heads * p_.v_head_size;
    const auto& weight = RequireTensor(tensors_, ATTEST_ROLE_WO, p_.dtype,
                                       std::array<int64_t, 2>{p_.hidden_size, width});
    const attest_tensor* bias = nullptr;
    if (p_.has_bias != 0)
      bias = &RequireTensor(tensors_, ATTEST_ROLE_BO, p_.dtype,
                            std::array<int64_t, 1>{p_.hidden_size});
    map_.emplace(weight, bias, p_.dtype == ATTEST_F64);
  }

  Answer Compute() {
    Answer answer = Attend();
    const std::vector<double> ranges = IsMapped(p_) ? MappedRanges() : ValueRanges();
    if (IsMapped(p_)) answer = MapOutput(answer);
    answer.value_ranges = ranges;
    return answer;
  }

 private:
  // sdpa once for every rounding: what Q, K and V may err by differs.
  Answer Attend() {
    const attest_tensor q = projections_.q.View(projections_.q.value),
                        k = projections_.k.View(projections_.k.value),
                        v = projections_.v.View(projections_.v.value);
    Options options;
    options.threads = options_.threads;
    options.rows = rows_.heads;
    if (options_.roundings.empty()) return SolveSdpa(p_, {q, k, v}, tensors_, options, nullptr);
    std::optional<Answer> answer;
    for (const Rounding& rounding : options_.roundings) {
      options.roundings = {OfAttention(rounding)};
      Answer one = SolveSdpa(p_, {q, k, v}, tensors_, options, &projections_.ShiftOf(rounding));
      if (!answer)
        answer = std::move(one);
      else
        answer->bounds.push_back(std::move(one.bounds[0]));
    }
    return std::move(*answer);
  }

  // Between linear maps sdpa reads what they store, and stores what the output map reads.
  Rounding OfAttention(Rounding rounding) const {
    rounding.u_op = rounding.u_inner;
    if (!IsMapped(p_)) return rounding;
    rounding.u_out = rounding.u_store;
    rounding.eta_out = rounding.eta_store;
    return rounding;
  }

  // Rows of `per_head` [heads' rows, width] side by side: [output rows, q_num_heads * width].
  std::vector<double> Gather(const std::vector<double>& per_head, int64_t width) const {
    std::vector<double> joined;
    if (per_head.empty()) return joined;
    const int64_t length = p_.q_sequence_length;
    for (const int64_t row : rows_.output) {
      for (int64_t h = 0; h < p_.q_num_heads; ++h) {
        const int64_t slot =
            rows_.SlotOf((row / length * p_.q_num_heads + h) * length + row % length);
        joined.insert(joined.end(), per_head.begin() + slot * width,
                      per_head.begin() + (slot + 1) * width);
      }
    }
    return joined;
  }

  Answer MapOutput(const Answer& attended) const {
    Answer answer;
    const int64_t width = p_.v_head_size, keys = p_.kv_sequence_length;
    const int64_t rows = std::ssize(rows_.output);
    answer.rows = rows_.output;
    answer.lse = Gather(attended.lse, 1);
    answer.weights = Gather(attended.weights, keys);
    const Mapped mapped = map_->Apply(Gather(attended.output, width), rows, options_.threads);
    answer.output = mapped.value;
    for (size_t n = 0; n < attended.bounds.size(); ++n) {
      const Bound& inner = attended.bounds[n];
      Bound& bound = answer.bounds.emplace_back();
      bound.lse = Gather(inner.lse, 1);
      bound.weights = Gather(inner.weights, keys);
      MapBound(options_.roundings[n], mapped,
               map_->Spread(Gather(inner.output, width), rows, options_.threads),
               map_->Spread(Gather(inner.probabilistic, width), rows, options_.threads), bound);
    }
    return answer;
  }

  // B goes through |Wo|; of independent errors the squares add up. `certain`, `likely`: B and Bp of
  // the heads' outputs, mapped.
  void MapBound(const Rounding& r, const Mapped& exact, const Mapped& certain, const Mapped& likely,
                Bound& bound) const {
    const MapError error = ErrorOfMap(map_->in(), p_.dtype, r, r.u_inner, r.u_op);
    const auto stored = [&](double inner, double value) {
      return (inner * (1 + r.u_out) + (r.u_out + kDoubleRoundoff) * value + r.eta_out) * kInflation;
    };
    bound.output.resize(exact.value.size());
    bound.probabilistic.resize(exact.value.size());
    for (size_t n = 0; n < exact.value.size(); ++n) {
      const double size = std::fabs(exact.value[n]), through = certain.absolute[n];
      const double sum = exact.absolute[n] + through;
      bound.output[n] = stored(through + error.certain * sum, size);
      const double spread =
          std::sqrt(likely.squares[n]) + kLambda * error.likely * exact.absolute[n];
      bound.probabilistic[n] = std::fmin(bound.output[n], stored(spread, size));
    }
  }

  std::vector<double> ValueRanges() const {
    std::vector<double> least(p_.v_head_size, std::numeric_limits<double>::infinity());
    std::vector<double> greatest(p_.v_head_size, -std::numeric_limits<double>::infinity());
    Widen(projections_.v.value, least, greatest);
    return Ranges(least, greatest);
  }

  // What each of some tokens would give to OUT if all heads saw it alone, without the bias.
  std::vector<double> MappedRanges() const {
    const int64_t tokens = p_.batch_size * p_.kv_sequence_length,
                  sharing = p_.q_num_heads / p_.kv_num_heads;
    const int64_t count = std::min(tokens, kRangeTokens), size = p_.v_head_size;
    std::vector<double> heads;
    for (int64_t n = 0; n < count; ++n) {
      const double* value = &projections_.v.value[n * tokens / count * p_.kv_num_heads * size];
      for (int64_t h = 0; h < p_.q_num_heads; ++h) {
        heads.insert(heads.end(), value + h / sharing * size, value + (h / sharing + 1) * size);
      }
    }
    std::vector<double> least(p_.hidden_size, std::numeric_limits<double>::infinity());
    std::vector<double> greatest(p_.hidden_size, -std::numeric_limits<double>::infinity());
    Widen(map_->Spread(heads, count, options_.threads).value, least, greatest);
    return Ranges(least, greatest);
  }

  static void Widen(const std::vector<double>& values, std::vector<double>& least,
                    std::vector<double>& greatest) {
    for (size_t n = 0; n < values.size(); ++n) {
      const size_t c = n % least.size();
      least[c] = std::fmin(least[c], values[n]);
      greatest[c] = std::fmax(greatest[c], values[n]);
    }
  }

  static std::vector<double> Ranges(const std::vector<double>& least,
                                    const std::vector<double>& greatest) {
    std::vector<double> ranges;
    for (size_t c = 0; c < least.size(); ++c) {
      const double range = greatest[c] - least[c];
      ranges.push_back(range > 0 ? range : std::fabs(greatest[c]));
    }
    return ranges;
  }

  const attest_problem p_;
  const Tensors tensors_;
  const Options& options_;
  const LayerRows rows_;
  Projections projections_;
  std::optional<LinearMap> map_;
};

}  // namespace

Answer ComputeSelfAttention(const attest_problem& problem,
                            std::span<const attest_tensor* const> tensors, const Options& options) {
  CheckLayer(problem);
  return Layer(problem, tensors, options).Compute();
}

}  // namespace attest::reference
