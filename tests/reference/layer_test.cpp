// SPDX-License-Identifier: Apache-2.0
//
// The layer's oracle against the shortest long double code there is, and its bound against honest
// f32 runs: never reached, and not out of reach.
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <random>
#include <type_traits>
#include <vector>

#include "reference/oracle.h"

namespace attest::reference {
namespace {

struct Shape {
  int64_t heads, kv_heads, lq, lk, hidden, d, dv;
  int32_t structure = ATTEST_STRUCTURE_FULL, bias = 0, out = 0, cross = 0, causal = 0;
};

attest_problem ProblemOf(const Shape& s) {
  attest_problem p{};
  p.size = sizeof p;
  p.op = ATTEST_OP_SELF_ATTENTION;
  p.dtype = ATTEST_F32;
  p.batch_size = 2;
  p.q_num_heads = s.heads;
  p.kv_num_heads = s.kv_heads;
  p.q_sequence_length = s.lq;
  p.kv_sequence_length = s.lk;
  p.head_size = s.d;
  p.v_head_size = s.dv;
  p.scale = 1 / std::sqrt(static_cast<double>(s.d));
  p.left_window_size = p.right_window_size = -1;
  p.is_causal = s.causal;
  p.hidden_size = s.hidden;
  p.structure = s.structure;
  p.has_bias = s.bias;
  p.has_output_projection = s.out;
  p.is_cross = s.cross;
  p.outputs = ATTEST_OUTPUT_LSE | ATTEST_OUTPUT_WEIGHTS;
  return p;
}

// All tensors of a layer in f32, present or not, and the layer in any arithmetic.
class Layer {
 public:
  explicit Layer(const Shape& shape) : p_(ProblemOf(shape)) {
    const int64_t q = p_.q_num_heads * p_.head_size, k = p_.kv_num_heads * p_.head_size;
    const int64_t v = p_.kv_num_heads * p_.v_head_size, o = p_.q_num_heads * p_.v_head_size;
    const int64_t e = p_.hidden_size;
    const double size = 1 / std::sqrt(static_cast<double>(e));
    Add(ATTEST_ROLE_X, {2, p_.q_sequence_length, e}, 1);
    Add(ATTEST_ROLE_X_KV, {2, p_.kv_sequence_length, e}, 1);
    Add(ATTEST_ROLE_WQ, {q, e}, size);
    Add(ATTEST_ROLE_WK, {k, e}, size);
    Add(ATTEST_ROLE_WV, {v, e}, size);
    Add(ATTEST_ROLE_WO, {e, o}, 1 / std::sqrt(static_cast<double>(o)));
    Add(ATTEST_ROLE_BQ, {q}, 0.5);
    Add(ATTEST_ROLE_BK, {k}, 0.5);
    Add(ATTEST_ROLE_BV, {v}, 0.5);
    Add(ATTEST_ROLE_BO, {e}, 0.5);
  }

  const attest_problem& problem() const { return p_; }
  std::vector<const attest_tensor*> Tensors() const {
    std::vector<const attest_tensor*> all;
    for (const Array& array : arrays_) all.push_back(&array.tensor);
    return all;
  }

  template <typename Real>
  struct Row {
    std::vector<Real> out;      // of position i: [q_num_heads dv] or [hidden]
    std::vector<Real> weights;  // [q_num_heads, Lk]
    std::vector<Real> lse;      // [q_num_heads]
  };

  // Position i of batch entry b, every sum in Real, in ascending order.
  template <typename Real>
  Row<Real> Compute(int64_t b, int64_t i) const {
    Row<Real> row;
    std::vector<Real> heads;
    for (int64_t h = 0; h < p_.q_num_heads; ++h) Attend(b, h, i, heads, row);
    row.out = heads;
    if (p_.has_output_projection == 0) return row;
    row.out.clear();
    for (int64_t e = 0; e < p_.hidden_size; ++e) {
      Real sum = p_.has_bias != 0 ? At(ATTEST_ROLE_BO, e) : 0;
      for (size_t n = 0; n < heads.size(); ++n)
        sum += heads[n] * static_cast<Real>(
                              At(ATTEST_ROLE_WO, e * std::ssize(heads) + static_cast<int64_t>(n)));
      row.out.push_back(sum);
    }
    return row;
  }

 private:
  struct Array {
    attest_tensor tensor{};
    std::vector<float> values;
  };

  void Add(int32_t role, const std::vector<int64_t>& shape, double size) {
    Array& array = arrays_.emplace_back();
    std::mt19937 random(static_cast<unsigned>(role) * 77);
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    for (int64_t n = 0; n < count; ++n)
      array.values.push_back(
          static_cast<float>(size * 3.4 * (static_cast<double>(random()) / 4294967295.0 - 0.5)));
    attest_tensor& t = array.tensor;
    t.size = sizeof t;
    t.role = role;
    t.dtype = ATTEST_F32;
    t.rank = static_cast<int32_t>(shape.size());
    int64_t stride = 1;
    for (int32_t axis = t.rank - 1; axis >= 0; --axis) {
      t.shape[axis] = shape[static_cast<size_t>(axis)];
      t.strides[axis] = stride;
      stride *= t.shape[axis];
    }
    t.data = array.values.data();
  }

  double At(int32_t role, int64_t n) const {
    for (const Array& array : arrays_)
      if (array.tensor.role == role) return array.values[static_cast<size_t>(n)];
    return NAN;
  }

  // Row n of a linear map of token i, or X itself.
  template <typename Real>
  Real Mapped(int32_t x, int64_t length, int64_t b, int64_t i, int32_t weight, int64_t n) const {
    const int64_t e = p_.hidden_size;
    if (p_.structure == ATTEST_STRUCTURE_PARAMETER_FREE)
      return static_cast<Real>(At(x, (b * length + i) * e + n));
    Real sum = p_.has_bias != 0 ? At(weight + (ATTEST_ROLE_BQ - ATTEST_ROLE_WQ), n) : 0;
    for (int64_t t = 0; t < e; ++t)
      sum += static_cast<Real>(At(x, (b * length + i) * e + t)) *
             static_cast<Real>(At(weight, n * e + t));
    return sum;
  }

  template <typename Real>
  void Attend(int64_t b, int64_t h, int64_t i, std::vector<Real>& heads, Row<Real>& row) const {
    const int64_t kv = h / (p_.q_num_heads / p_.kv_num_heads), keys = p_.kv_sequence_length;
    const int32_t y = p_.is_cross != 0 ? ATTEST_ROLE_X_KV : ATTEST_ROLE_X;
    const bool tied = p_.structure == ATTEST_STRUCTURE_TIED_QK;
    const int64_t seen = p_.is_causal != 0 ? std::min(keys, i + 1) : keys;
    std::vector<Real> p(static_cast<size_t>(keys));
    Real maximum = -INFINITY, sum = 0;
    for (int64_t j = 0; j < seen; ++j) {
      Real score = 0;
      for (int64_t t = 0; t < p_.head_size && p_.structure != ATTEST_STRUCTURE_MEAN_POOL; ++t)
        score += Mapped<Real>(ATTEST_ROLE_X, p_.q_sequence_length, b, i, ATTEST_ROLE_WQ,
                              h * p_.head_size + t) *
                 Mapped<Real>(y, keys, b, j, tied ? ATTEST_ROLE_WQ : ATTEST_ROLE_WK,
                              kv * p_.head_size + t);
      p[static_cast<size_t>(j)] = score * static_cast<Real>(p_.scale);
      maximum = std::max(maximum, p[static_cast<size_t>(j)]);
    }
    for (int64_t j = 0; j < seen; ++j)
      sum += p[static_cast<size_t>(j)] = std::exp(p[static_cast<size_t>(j)] - maximum);
    for (int64_t c = 0; c < p_.v_head_size; ++c) {
      Real out = 0;
      for (int64_t j = 0; j < seen; ++j)
        out += p[static_cast<size_t>(j)] *
               Mapped<Real>(y, keys, b, j, ATTEST_ROLE_WV, kv * p_.v_head_size + c);
      heads.push_back(out / sum);
    }
    for (const Real weight : p) row.weights.push_back(weight / sum);
    row.lse.push_back(maximum + std::log(sum));
  }

  attest_problem p_;
  std::deque<Array> arrays_;
};

std::vector<Shape> Shapes() {
  std::vector<Shape> shapes = {{1, 1, 3, 3, 3, 3, 3},
                               {1, 1, 1, 1, 1, 1, 1},
                               {2, 2, 5, 5, 8, 4, 4, ATTEST_STRUCTURE_FULL, 1, 1},
                               {4, 2, 7, 7, 20, 3, 5, ATTEST_STRUCTURE_FULL, 1, 0, 0, 1},
                               {4, 2, 3, 9, 20, 3, 5, ATTEST_STRUCTURE_FULL, 1, 1, 1},
                               {2, 2, 6, 6, 8, 4, 3, ATTEST_STRUCTURE_TIED_QK, 1, 1},
                               {2, 2, 6, 4, 8, 4, 3, ATTEST_STRUCTURE_TIED_QK, 1, 0, 1},
                               {2, 2, 6, 6, 8, 4, 4, ATTEST_STRUCTURE_PARAMETER_FREE, 0, 0, 0, 1},
                               {2, 1, 6, 6, 8, 4, 4, ATTEST_STRUCTURE_MEAN_POOL, 1, 1},
                               {3, 3, 33, 33, 96, 32, 32, ATTEST_STRUCTURE_FULL, 1, 1}};
  return shapes;
}

// visit(value of the other arithmetic, oracle's, its bound) for OUT, LSE and WEIGHTS in turn.
template <typename Real, typename Visit>
void ForElements(const Layer& layer, const Answer& answer, const Visit& visit) {
  const attest_problem& p = layer.problem();
  const int64_t of_out = OutputHeads(p), columns = OutputColumns(p), length = p.q_sequence_length;
  const int64_t heads = p.q_num_heads / of_out, keys = p.kv_sequence_length;
  const Bound* bound = answer.bounds.empty() ? nullptr : &answer.bounds[0];
  const auto at = [&](const std::vector<double> Bound::*list, size_t n) {
    return bound != nullptr ? (bound->*list)[n] : 0;
  };
  for (size_t r = 0; r < answer.rows.size(); ++r) {
    const int64_t i = answer.rows[r] % length, group = answer.rows[r] / length;
    const int64_t h = group % of_out;
    const auto row = layer.Compute<Real>(group / of_out, i);
    for (int64_t c = 0; c < columns; ++c) {
      const size_t n = r * static_cast<size_t>(columns) + static_cast<size_t>(c);
      visit(row.out[static_cast<size_t>(h * columns + c)], answer.output[n], at(&Bound::output, n));
    }
    for (int64_t g = 0; g < heads; ++g) {
      const size_t n = r * static_cast<size_t>(heads) + static_cast<size_t>(g);
      visit(row.lse[static_cast<size_t>(h * heads + g)], answer.lse[n], at(&Bound::lse, n));
      for (int64_t j = 0; j < keys; ++j) {
        const size_t m = n * static_cast<size_t>(keys) + static_cast<size_t>(j);
        visit(row.weights[static_cast<size_t>((h * heads + g) * keys + j)], answer.weights[m],
              at(&Bound::weights, m));
      }
    }
  }
}

TEST(SelfAttention, IsWhatLongDoubleGives) {
  for (const Shape& shape : Shapes()) {
    const Layer layer(shape);
    const Answer answer = ComputeSelfAttention(layer.problem(), layer.Tensors(), {.threads = 2});
    EXPECT_EQ(std::ssize(answer.rows), RowCount(layer.problem()));
    ForElements<long double>(layer, answer, [&](long double exact, double got, double) {
      EXPECT_NEAR(static_cast<double>(exact), got, 1e-13) << "structure " << shape.structure;
    });
  }
}

TEST(SelfAttention, SomeRowsAreThoseOfAll) {
  for (const Shape& shape : Shapes()) {
    const Layer layer(shape);
    const Answer all = ComputeSelfAttention(layer.problem(), layer.Tensors(), {});
    const int64_t last = RowCount(layer.problem()) - 1;
    const Answer one = ComputeSelfAttention(layer.problem(), layer.Tensors(), {.rows = {last}});
    const auto columns = static_cast<size_t>(OutputColumns(layer.problem()));
    for (size_t c = 0; c < columns; ++c)
      EXPECT_EQ(one.output[c], all.output[static_cast<size_t>(last) * columns + c]);
    EXPECT_EQ(one.lse.back(), all.lse.back());
  }
}

Rounding F32(int32_t projections = ATTEST_FORMAT_NONE, int32_t operands = ATTEST_FORMAT_NONE) {
  attest_contract contract{};
  contract.size = sizeof contract;
  contract.accumulate = ATTEST_FORMAT_F32;
  contract.projections = projections;
  contract.operands = operands;
  return RoundingOf(contract, ATTEST_F32, ATTEST_OP_SELF_ATTENTION);
}

TEST(SelfAttention, HonestRunsStayWithinTheBoundAndNotFarBelow) {
  for (const Shape& shape : Shapes()) {
    const Layer layer(shape);
    Options options;
    options.roundings = {F32()};
    const Answer answer = ComputeSelfAttention(layer.problem(), layer.Tensors(), options);
    double worst = 0;
    ForElements<float>(layer, answer, [&](float got, double exact, double bound) {
      const double error = std::fabs(got - exact);
      EXPECT_LE(error, bound) << "structure " << shape.structure;
      if (bound > 0) worst = std::max(worst, error / bound);
    });
    EXPECT_TRUE(worst > 1e-3 || layer.problem().kv_sequence_length == 1) << worst;
    for (size_t n = 0; n < answer.output.size(); ++n)
      EXPECT_LE(answer.bounds[0].probabilistic[n], answer.bounds[0].output[n]);
  }
}

// A factor left out of one weight matrix moves outputs beyond the bound.
TEST(SelfAttention, TheBoundSeesAWrongBias) {
  const Layer layer({2, 2, 33, 33, 64, 32, 32, ATTEST_STRUCTURE_FULL, 1, 0});
  Layer without({2, 2, 33, 33, 64, 32, 32, ATTEST_STRUCTURE_FULL, 0, 0});
  Options options;
  options.roundings = {F32()};
  const Answer answer = ComputeSelfAttention(layer.problem(), layer.Tensors(), options);
  int64_t beyond = 0;
  const int64_t columns = OutputColumns(layer.problem());
  for (size_t r = 0; r < answer.rows.size(); ++r) {
    const int64_t i = answer.rows[r] % 33, group = answer.rows[r] / 33;
    const auto row = without.Compute<double>(group / 2, i);
    for (int64_t c = 0; c < columns; ++c) {
      const size_t n = r * static_cast<size_t>(columns) + static_cast<size_t>(c);
      const double got = row.out[static_cast<size_t>(group % 2 * columns + c)];
      beyond += std::fabs(got - answer.output[n]) > answer.bounds[0].output[n] ? 1 : 0;
    }
  }
  EXPECT_GT(beyond, std::ssize(answer.output) / 2);
}

TEST(SelfAttention, WhatIsStoredCoarselyWidensTheBound) {
  const Layer layer({2, 2, 9, 9, 64, 32, 32, ATTEST_STRUCTURE_FULL, 0, 1});
  Options options;
  options.roundings = {F32(), F32(ATTEST_FORMAT_BF16), F32(ATTEST_FORMAT_NONE, ATTEST_FORMAT_BF16)};
  const Answer answer = ComputeSelfAttention(layer.problem(), layer.Tensors(), options);
  ASSERT_EQ(answer.bounds.size(), 3U);
  for (size_t n = 0; n < answer.output.size(); ++n) {
    EXPECT_GT(answer.bounds[1].output[n], 10 * answer.bounds[0].output[n]);
    EXPECT_GT(answer.bounds[2].output[n], answer.bounds[1].output[n]);
  }
}

TEST(SelfAttention, WhatIsMissingOrOfAnotherShapeIsRefused) {
  const Layer layer({2, 2, 5, 5, 8, 4, 4, ATTEST_STRUCTURE_FULL, 1, 1});
  attest_problem p = layer.problem();
  EXPECT_THROW(ComputeSelfAttention(p, {}, {}), std::invalid_argument);
  p.hidden_size = 9;
  EXPECT_THROW(ComputeSelfAttention(p, layer.Tensors(), {}), std::invalid_argument);
  p = layer.problem();
  p.structure = ATTEST_STRUCTURE_PARAMETER_FREE;
  EXPECT_THROW(ComputeSelfAttention(p, layer.Tensors(), {}), std::invalid_argument);
  p = layer.problem();
  p.op = ATTEST_OP_SDPA;
  EXPECT_THROW(ComputeSelfAttention(p, layer.Tensors(), {}), std::invalid_argument);
}

}  // namespace
}  // namespace attest::reference
