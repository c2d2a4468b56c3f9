// SPDX-License-Identifier: Apache-2.0
#include "reference/projection.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "reference/bound.h"
#include "reference/linear.h"
#include "reference/rounding.h"

namespace attest::reference {
namespace {

constexpr double kDoubleRoundoff = 0x1p-53;

double Square(double x) { return x * x; }

const attest_tensor& RequireWeight(const attest_problem& p, Tensors tensors, int32_t role,
                                   int64_t rows, int64_t columns) {
  return RequireTensor(tensors, role, p.dtype, std::array<int64_t, 2>{rows, columns});
}

const attest_tensor* RequireBias(const attest_problem& p, Tensors tensors, int32_t role,
                                 int64_t size) {
  if (p.has_bias == 0) return nullptr;
  return &RequireTensor(tensors, role, p.dtype, std::array<int64_t, 1>{size});
}

// Rows of X at those positions only, and their sums put back where they belong.
void MapSome(const LinearMap& map, const std::vector<double>& x,
             const std::vector<int64_t>& positions, unsigned threads, Heads& heads) {
  std::vector<double> rows;
  rows.reserve(positions.size() * map.in());
  for (const int64_t at : positions) {
    rows.insert(rows.end(), x.begin() + at * map.in(), x.begin() + (at + 1) * map.in());
  }
  const Mapped mapped = map.Apply(rows, std::ssize(positions), threads);
  heads.value.assign(heads.batch * heads.length * map.out(), 0.0);
  heads.absolute = heads.value;
  for (int64_t n = 0; n < std::ssize(positions); ++n) {
    std::copy_n(&mapped.value[n * map.out()], map.out(), &heads.value[positions[n] * map.out()]);
    std::copy_n(&mapped.absolute[n * map.out()], map.out(),
                &heads.absolute[positions[n] * map.out()]);
  }
}

void MapEvery(const LinearMap& map, const std::vector<double>& x, unsigned threads, Heads& heads) {
  Mapped mapped = map.Apply(x, heads.batch * heads.length, threads);
  heads.value = std::move(mapped.value);
  heads.absolute = std::move(mapped.absolute);
}

HeadErrors ErrorsOf(const Heads& heads, int64_t in, int32_t dtype, const Rounding& r) {
  HeadErrors errors{{0.0}, {0.0}};
  if (heads.absolute.empty()) return errors;
  const MapError map = ErrorOfMap(in, dtype, r, r.u_op, r.u_op);
  errors.certain.resize(heads.value.size());
  errors.likely.resize(heads.value.size());
  for (size_t n = 0; n < heads.value.size(); ++n) {
    const double size = std::fabs(heads.value[n]), sum = heads.absolute[n];
    errors.certain[n] =
        map.certain * sum * (1 + r.u_store) + (r.u_store + kDoubleRoundoff) * size + r.eta_store;
    errors.likely[n] = std::sqrt(Square(map.likely * sum) + Square(r.u_store * size)) + r.eta_store;
  }
  return errors;
}

// [B, L, heads, 2 size]: each head's first part, then its second.
std::vector<double> Join(const Heads& heads, const std::vector<double>& first,
                         const std::vector<double>& second) {
  if (heads.is_zero) return {0.0};
  const auto at = [](const std::vector<double>& x, size_t n) {
    return x.size() == 1 ? x[0] : x[n];
  };
  std::vector<double> joined;
  joined.reserve(2 * heads.value.size());
  const auto size = static_cast<size_t>(heads.size);
  for (size_t head = 0; head < heads.value.size(); head += size) {
    for (size_t t = 0; t < size; ++t) joined.push_back(at(first, head + t));
    for (size_t t = 0; t < size; ++t) joined.push_back(at(second, head + t));
  }
  return joined;
}

std::vector<double> Magnitudes(const std::vector<double>& x, const std::vector<double>& more) {
  std::vector<double> sizes(x.size());
  for (size_t n = 0; n < x.size(); ++n) {
    sizes[n] = std::fabs(x[n]) + (more.size() == 1 ? more[0] : more[n]);
  }
  return sizes;
}

attest_tensor ViewOfPairs(const Heads& heads, std::vector<double>& memory) {
  Heads pairs = heads;
  pairs.size *= 2;
  return pairs.View(memory);
}

}  // namespace

attest_tensor Heads::View(std::vector<double>& memory) const {
  attest_tensor tensor{};
  tensor.size = sizeof tensor;
  tensor.dtype = ATTEST_F64;
  tensor.rank = 4;
  const int64_t width = heads * size;
  const bool zero = memory.size() == 1 && batch * length * width != 1;
  const std::array<int64_t, 4> shape = {batch, heads, length, size};
  const std::array<int64_t, 4> strides = {length * width, size, width, 1};
  for (size_t axis = 0; axis < 4; ++axis) {
    tensor.shape[axis] = shape[axis];
    tensor.strides[axis] = zero ? 0 : strides[axis];
  }
  tensor.data = memory.data();
  return tensor;
}

std::vector<double> ReadRows(const attest_tensor& tensor) {
  const attest_tensor t = AsRankFour(tensor);
  std::vector<double> values(t.shape[0] * t.shape[1] * t.shape[2] * t.shape[3]);
  double* row = values.data();
  for (int64_t b = 0; b < t.shape[0]; ++b) {
    for (int64_t h = 0; h < t.shape[1]; ++h) {
      for (int64_t i = 0; i < t.shape[2]; ++i, row += t.shape[3]) {
        ReadRow(t, b, h, i, 0, t.shape[3], row);
      }
    }
  }
  return values;
}

MapError ErrorOfMap(int64_t in, int32_t dtype, const Rounding& r, double u_left, double u_right) {
  const auto n = static_cast<double>(in);
  const double own = OracleRounding(dtype).u_acc;
  const double operands = u_left + u_right + u_left * u_right;
  MapError error;
  error.certain =
      Gamma(n + 2, r.u_acc) + Gamma(n + 2, own) + operands * (1 + Gamma(n + 2, r.u_acc));
  // Rounded weights are the same for every row: they are added up, not squared.
  error.likely = std::sqrt(n + 4) * (r.u_acc + own) + operands;
  return error;
}

Projections::Projections(const attest_problem& problem, Tensors tensors,
                         const std::vector<int64_t>& positions, unsigned threads)
    : problem_(problem) {
  const attest_problem& p = problem_;
  q = {p.batch_size, p.q_num_heads, p.q_sequence_length, p.head_size, {}, {}, false};
  k = {p.batch_size, p.kv_num_heads, p.kv_sequence_length, p.head_size, {}, {}, false};
  v = {p.batch_size, p.kv_num_heads, p.kv_sequence_length, p.v_head_size, {}, {}, false};
  if (p.structure == ATTEST_STRUCTURE_PARAMETER_FREE)
    ReadParameterFree(tensors);
  else
    MapAll(tensors, positions, threads);
}

void Projections::ReadParameterFree(Tensors tensors) {
  const attest_problem& p = problem_;
  q.value = ReadRows(
      RequireTensor(tensors, ATTEST_ROLE_X, p.dtype,
                    std::array<int64_t, 3>{p.batch_size, p.q_sequence_length, p.hidden_size}));
  k.value = q.value;
  if (p.is_cross != 0)
    k.value = ReadRows(
        RequireTensor(tensors, ATTEST_ROLE_X_KV, p.dtype,
                      std::array<int64_t, 3>{p.batch_size, p.kv_sequence_length, p.hidden_size}));
  v.value = k.value;
}

void Projections::MapAll(Tensors tensors, const std::vector<int64_t>& positions, unsigned threads) {
  const attest_problem& p = problem_;
  const bool wide = p.dtype == ATTEST_F64;
  const int64_t e = p.hidden_size;
  const std::vector<double> x = ReadRows(
      RequireTensor(tensors, ATTEST_ROLE_X, p.dtype,
                    std::array<int64_t, 3>{p.batch_size, p.q_sequence_length, p.hidden_size}));
  std::vector<double> other;
  if (p.is_cross != 0)
    other = ReadRows(
        RequireTensor(tensors, ATTEST_ROLE_X_KV, p.dtype,
                      std::array<int64_t, 3>{p.batch_size, p.kv_sequence_length, p.hidden_size}));
  const std::vector<double>& x_kv = p.is_cross != 0 ? other : x;
  const auto map = [&](int32_t weight, int32_t bias, int64_t rows) {
    return LinearMap(RequireWeight(p, tensors, weight, rows, e),
                     RequireBias(p, tensors, bias, rows), wide);
  };
  MapEvery(map(ATTEST_ROLE_WV, ATTEST_ROLE_BV, p.kv_num_heads * p.v_head_size), x_kv, threads, v);
  if (p.structure == ATTEST_STRUCTURE_MEAN_POOL) {
    q.value = k.value = {0.0};  // as if Q were 0
    q.is_zero = k.is_zero = true;
    return;
  }
  const LinearMap to_q = map(ATTEST_ROLE_WQ, ATTEST_ROLE_BQ, p.q_num_heads * p.head_size);
  MapSome(to_q, x, positions, threads, q);
  if (p.structure == ATTEST_STRUCTURE_TIED_QK)
    MapEvery(to_q, x_kv, threads, k);
  else
    MapEvery(map(ATTEST_ROLE_WK, ATTEST_ROLE_BK, p.kv_num_heads * p.head_size), x_kv, threads, k);
}

const Shift& Projections::ShiftOf(const Rounding& rounding) {
  const int64_t in = problem_.hidden_size;
  const HeadErrors dq = ErrorsOf(q, in, problem_.dtype, rounding);
  const HeadErrors dk = ErrorsOf(k, in, problem_.dtype, rounding);
  HeadErrors dv = ErrorsOf(v, in, problem_.dtype, rounding);
  const std::vector<double> none = {0.0};
  query_ = Join(q, dq.certain, Magnitudes(q.value, dq.certain));
  key_ = Join(k, Magnitudes(k.value, none), dk.certain);
  value_ = std::move(dv.certain);
  likely_query_ = Join(q, dq.likely, Magnitudes(q.value, none));
  likely_key_ = Join(k, Magnitudes(k.value, none), dk.likely);
  likely_value_ = std::move(dv.likely);
  shift_ = {ViewOfPairs(q, query_),        ViewOfPairs(k, key_),        v.View(value_),
            ViewOfPairs(q, likely_query_), ViewOfPairs(k, likely_key_), v.View(likely_value_)};
  return shift_;
}

}  // namespace attest::reference
