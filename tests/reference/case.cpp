// SPDX-License-Identifier: Apache-2.0
//
// Data kinds, encoding and the naive answer of the oracle's tests.
#include "case.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>

#include "reference/rounding.h"

namespace attest::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

int64_t ElementBytes(int32_t dtype) {
  switch (dtype) {
    case ATTEST_F64:
    case ATTEST_I64:
      return 8;
    case ATTEST_F32:
      return 4;
    case ATTEST_BOOL:
      return 1;
    default:
      return 2;
  }
}

uint16_t HalfBits(double x) {
  const auto sign = static_cast<uint16_t>(std::signbit(x) ? 0x8000 : 0);
  const double size = std::fabs(x);
  if (std::isnan(x)) return 0x7e00;
  if (size > 65504) return sign | 0x7c00;
  if (size < 0x1p-14) return sign | static_cast<uint16_t>(size * 0x1p24);
  const int exponent = std::ilogb(size);
  const double fraction = std::ldexp(size, 10 - exponent) - 1024;
  return sign | static_cast<uint16_t>(((exponent + 15) << 10) + static_cast<int>(fraction));
}

uint16_t BfloatBits(double x) {
  return static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(x)) >> 16);
}

double Uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

double Normal(std::mt19937_64& random) {
  const double radius = std::sqrt(-2 * std::log(1 - Uniform(random)));
  return radius * std::cos(6.283185307179586 * Uniform(random));
}

// One element of Q, K or V; `place` in [0, 1) is the row's position.
double Element(const std::string& kind, int32_t role, double place, std::mt19937_64& random) {
  const bool is_v = role == ATTEST_ROLE_V;
  const double x = Normal(random);
  if (kind == "uniform01") return Uniform(random);
  if (kind == "uniform11") return 2 * Uniform(random) - 1;
  if (kind == "peaky") return is_v ? x : 3 * x;
  if (kind == "large_scores") return is_v ? x : 5 + x;
  if (kind == "offset_v") return is_v ? 100 + x : x;
  if (kind == "constant_v") return is_v ? 1.7 : x;
  if (kind == "rising") return is_v ? x : (role == ATTEST_ROLE_K ? 3 * place : 1.0) + 0.01 * x;
  if (kind == "falling") return is_v ? x : (role == ATTEST_ROLE_K ? -3 * place : 1.0) + 0.01 * x;
  if (kind == "cancelling") return is_v ? (random() % 2 != 0 ? 50.0 : -50.0) + x : x;
  if (kind == "tiny") return x * 1e-4;
  if (kind == "range") return is_v ? x * 0x1p12 : x;
  return x;
}

}  // namespace

const std::vector<std::string>& DataKinds() {
  static const std::vector<std::string> kinds = {
      "normal",     "uniform01", "uniform11", "peaky",      "large_scores", "offset_v",
      "constant_v", "rising",    "falling",   "cancelling", "tiny",         "range"};
  return kinds;
}

attest_problem MakeProblem(int64_t heads, int64_t kv_heads, int64_t lq, int64_t lk, int64_t d,
                           int64_t dv) {
  attest_problem problem{};
  problem.size = sizeof problem;
  problem.op = ATTEST_OP_SDPA;
  problem.dtype = ATTEST_F32;
  problem.batch_size = 1;
  problem.q_num_heads = heads;
  problem.kv_num_heads = kv_heads;
  problem.q_sequence_length = lq;
  problem.kv_sequence_length = lk;
  problem.head_size = d;
  problem.v_head_size = dv;
  problem.scale = 1 / std::sqrt(static_cast<double>(d));
  problem.left_window_size = -1;
  problem.right_window_size = -1;
  return problem;
}

double RoundTo(double x, int32_t format) {
  if (format == ATTEST_FORMAT_NONE || x == 0 || !std::isfinite(x)) return x;
  const int precision = 1 - std::ilogb(2 * UnitRoundoff(format));
  const double least = 2 * HalfLeastSubnormal(format);
  const double ulp = std::max(std::ldexp(1.0, std::ilogb(x) + 1 - precision), least);
  return std::nearbyint(x / ulp) * ulp;
}

Case::Case(const attest_problem& problem, const std::string& kind, uint64_t seed, int64_t padding)
    : problem_(problem) {
  const attest_problem& p = problem_;
  std::mt19937_64 random(seed);
  const std::vector<std::vector<int64_t>> shapes = {
      {p.batch_size, p.q_num_heads, p.q_sequence_length, p.head_size},
      {p.batch_size, p.kv_num_heads, p.kv_sequence_length, p.head_size},
      {p.batch_size, p.kv_num_heads, p.kv_sequence_length, p.v_head_size}};
  for (const int32_t role : {ATTEST_ROLE_Q, ATTEST_ROLE_K, ATTEST_ROLE_V}) {
    Array& array = Add(role, p.dtype, shapes[role - ATTEST_ROLE_Q], padding);
    const double rows = static_cast<double>(array.tensor.shape[2]);
    Fill(array, [&](int64_t, int64_t, int64_t i, int64_t) {
      return Element(kind, role, static_cast<double>(i) / rows, random);
    });
  }
}

template <typename Value>
void Case::Fill(Array& array, Value value) {
  const attest_tensor& t = array.tensor;
  for (int64_t b = 0; b < (t.strides[0] > 0 ? t.shape[0] : 1); ++b) {
    for (int64_t h = 0; h < (t.strides[1] > 0 ? t.shape[1] : 1); ++h) {
      for (int64_t i = 0; i < t.shape[2]; ++i) {
        for (int64_t n = 0; n < t.shape[3]; ++n) {
          const int64_t at =
              b * t.strides[0] + h * t.strides[1] + i * t.strides[2] + n * t.strides[3];
          const double x = value(b, h, i, n);
          array.values[at] = t.dtype == ATTEST_BOOL ? x : RoundTo(x, FormatOfDtype(t.dtype));
        }
      }
    }
  }
  EncodeAll(array);
}

Case::Array& Case::Add(int32_t role, int32_t dtype, const std::vector<int64_t>& shape,
                       int64_t padding) {
  Array& array = arrays_.emplace_back();
  attest_tensor& tensor = array.tensor;
  tensor.size = sizeof tensor;
  tensor.role = role;
  tensor.dtype = dtype;
  tensor.rank = static_cast<int32_t>(shape.size());
  int64_t stride = 1;
  for (int n = tensor.rank - 1; n >= 0; --n) {
    tensor.shape[n] = shape[n];
    tensor.strides[n] = stride;
    stride = stride * shape[n] + (n == tensor.rank - 1 ? padding : 0);
  }
  array.values.assign(stride, std::numeric_limits<double>::quiet_NaN());
  array.bytes.resize(stride * ElementBytes(dtype));
  EncodeAll(array);
  return array;
}

void Case::EncodeAll(Array& array) {
  for (int64_t n = 0; n < std::ssize(array.values); ++n) Encode(array, n);
  array.tensor.data = array.bytes.data();
}

void Case::Encode(Array& array, int64_t offset) {
  const double x = array.values[offset];
  uint8_t* to = &array.bytes[offset * ElementBytes(array.tensor.dtype)];
  const auto put = [to](auto bits) { std::memcpy(to, &bits, sizeof bits); };
  switch (array.tensor.dtype) {
    case ATTEST_F64:
      return put(x);
    case ATTEST_F32:
      return put(static_cast<float>(x));
    case ATTEST_F16:
      return put(HalfBits(x));
    case ATTEST_BF16:
      return put(BfloatBits(x));
    case ATTEST_I64:
      return put(static_cast<int64_t>(x));
    default:
      return put(static_cast<uint8_t>(x == 1 ? 1 : 0));
  }
}

void Case::AddMask(uint64_t seed, bool broadcast) {
  const attest_problem& p = problem_;
  const bool is_boolean = p.attn_mask == ATTEST_MASK_BOOLEAN;
  Array& array = Add(ATTEST_ROLE_MASK, is_boolean ? int32_t{ATTEST_BOOL} : p.dtype,
                     {p.batch_size, p.q_num_heads, p.q_sequence_length, p.kv_sequence_length}, 0);
  if (broadcast) array.tensor.strides[0] = array.tensor.strides[1] = 0;
  std::mt19937_64 random(seed);
  Fill(array, [&](int64_t, int64_t, int64_t, int64_t) {
    const bool keep = random() % 10 < 6;
    return is_boolean ? (keep ? 1.0 : 0.0) : (keep ? 2 * Normal(random) : -kInfinity);
  });
}

void Case::AddLengths(const std::vector<int64_t>& lengths) {
  Array& array = Add(ATTEST_ROLE_KV_LENGTHS, ATTEST_I64, {problem_.batch_size}, 0);
  array.values.assign(lengths.begin(), lengths.end());
  EncodeAll(array);
}

std::vector<const attest_tensor*> Case::Tensors() const {
  std::vector<const attest_tensor*> tensors;
  for (const Array& array : arrays_) tensors.push_back(&array.tensor);
  return tensors;
}

const Case::Array* Case::Find(int32_t role) const {
  for (const Array& array : arrays_) {
    if (array.tensor.role == role) return &array;
  }
  return nullptr;
}

double Case::At(const Array& array, int64_t b, int64_t h, int64_t i, int64_t n) const {
  const auto& s = array.tensor.strides;
  return array.values[b * s[0] + h * s[1] + i * s[2] + n * s[3]];
}

void Case::Set(int32_t role, int64_t b, int64_t head, int64_t row, int64_t n, double value) {
  Array& array = const_cast<Array&>(*Find(role));
  const auto& s = array.tensor.strides;
  const int64_t offset = b * s[0] + head * s[1] + row * s[2] + n * s[3];
  array.values[offset] = value;
  Encode(array, offset);
}

double Case::Q(int64_t b, int64_t h, int64_t i, int64_t t) const {
  return At(*Find(ATTEST_ROLE_Q), b, h, i, t);
}

double Case::K(int64_t b, int64_t h, int64_t j, int64_t t) const {
  return At(*Find(ATTEST_ROLE_K), b, h / (problem_.q_num_heads / problem_.kv_num_heads), j, t);
}

double Case::V(int64_t b, int64_t h, int64_t j, int64_t c) const {
  return At(*Find(ATTEST_ROLE_V), b, h / (problem_.q_num_heads / problem_.kv_num_heads), j, c);
}

bool Case::IsVisible(int64_t b, int64_t h, int64_t i, int64_t j) const {
  const attest_problem& p = problem_;
  int64_t offset = p.causal_offset;
  if (p.has_kv_lengths != 0) {
    const auto length = static_cast<int64_t>(Find(ATTEST_ROLE_KV_LENGTHS)->values[b]);
    if (j >= length) return false;
    offset = length - p.q_sequence_length;
  }
  if (p.is_causal != 0 && j > i + offset) return false;
  if (p.left_window_size >= 0 && j < i + offset - p.left_window_size) return false;
  if (p.right_window_size >= 0 && j > i + offset + p.right_window_size) return false;
  if (p.attn_mask == ATTEST_MASK_BOOLEAN) {
    return At(*Find(ATTEST_ROLE_MASK), b, h, i, j) == 1;
  }
  return Bias(b, h, i, j) != -kInfinity;
}

double Case::Bias(int64_t b, int64_t h, int64_t i, int64_t j) const {
  if (problem_.attn_mask != ATTEST_MASK_ADDITIVE) return 0;
  return At(*Find(ATTEST_ROLE_MASK), b, h, i, j);
}

NaiveRow Case::Naive(int64_t b, int64_t h, int64_t i) const {
  const attest_problem& p = problem_;
  NaiveRow row;
  row.output.resize(p.v_head_size);
  row.weights.resize(p.kv_sequence_length);
  std::vector<long double> scores(p.kv_sequence_length, -kInfinity);
  long double maximum = -kInfinity;
  for (int64_t j = 0; j < p.kv_sequence_length; ++j) {
    if (!IsVisible(b, h, i, j)) continue;
    long double s = 0;
    for (int64_t t = 0; t < p.head_size; ++t) {
      s += static_cast<long double>(Q(b, h, i, t)) * K(b, h, j, t);
    }
    s *= p.scale;
    if (p.softcap > 0) s = p.softcap * std::tanh(s / p.softcap);
    scores[j] = s + Bias(b, h, i, j);
    maximum = std::max(maximum, scores[j]);
  }
  row.lse = -kInfinity;
  if (maximum == -kInfinity) return row;
  long double sum = 0;
  for (const long double s : scores) sum += std::exp(s - maximum);
  row.lse = maximum + std::log(sum);
  for (int64_t j = 0; j < p.kv_sequence_length; ++j) {
    if (!IsVisible(b, h, i, j)) continue;
    row.weights[j] = std::exp(scores[j] - maximum) / sum;
    for (int64_t c = 0; c < p.v_head_size; ++c) row.output[c] += row.weights[j] * V(b, h, j, c);
  }
  return row;
}

}  // namespace attest::reference
