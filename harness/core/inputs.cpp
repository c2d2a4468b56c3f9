// SPDX-License-Identifier: Apache-2.0
//
// Values are functions of (problem, role, position); the standard deviation of "normal" is 1.
#include "harness/core/inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <thread>

#include "harness/core/convert.h"
#include "harness/core/tensors.h"
#include "harness/core/words.h"

namespace attest {
namespace {

struct Position {
  int64_t row = 0;     // along the sequence (last axis but one)
  int64_t column = 0;  // last axis
  int64_t rows = 1;
  uint64_t index = 0;  // logical, over all axes
};

struct Source {
  uint64_t seed = 0;
  uint64_t stream = 0;                        // the tensor's role
  double Uniform(const Position& at) const {  // [0, 1), multiples of 2^-24
    return static_cast<double>(HashBits(seed, stream, at.index) >> 40) * 0x1p-24;
  }
  // Sum of 12 uniform 16-bit integers (Irwin-Hall): mean 0, variance 1, within +-6, and exact.
  double Normal(const Position& at) const {
    constexpr uint64_t kLow = 0x0000ffff0000ffff;  // 16-bit integers in two 32-bit lanes
    uint64_t lanes = 0;
    for (uint64_t word = 0; word < 3; ++word) {
      const uint64_t bits = HashBits(seed, stream + 64 * (word + 1), at.index);
      lanes += (bits & kLow) + ((bits >> 16) & kLow);
    }
    const auto sum = static_cast<int64_t>((lanes & 0xffffffff) + (lanes >> 32));
    return static_cast<double>(2 * sum - 12 * 0xffff) * 0x1p-17;
  }
  double Sign(uint64_t salt, uint64_t position) const {
    return HashBits(seed, stream + salt, position) >> 63 ? 1.0 : -1.0;
  }
};

using Generator = double (*)(const Source&, const Position&, int32_t role);

bool IsValue(int32_t role) { return role == ATTEST_ROLE_V; }
bool IsKey(int32_t role) { return role == ATTEST_ROLE_K; }

double NormalKind(const Source& s, const Position& at, int32_t) { return s.Normal(at); }
double Uniform01(const Source& s, const Position& at, int32_t) { return s.Uniform(at); }
double Uniform11(const Source& s, const Position& at, int32_t) { return 2 * s.Uniform(at) - 1; }
// Q and K three times as large: scores with a standard deviation of 9, rows near one-hot.
double Peaky(const Source& s, const Position& at, int32_t role) {
  return (IsValue(role) ? 1 : 3) * s.Normal(at);
}
double LargeScores(const Source& s, const Position& at, int32_t role) {
  return (IsValue(role) ? 1 : 10) * s.Normal(at);
}
double OffsetV(const Source& s, const Position& at, int32_t role) {
  return s.Normal(at) + (IsValue(role) ? 100 : 0);
}
// One value a column: the output must be exactly that, whatever the weights.
double ConstantV(const Source& s, const Position& at, int32_t role) {
  Position column = at;
  column.index = static_cast<uint64_t>(at.column);
  return s.Normal(IsValue(role) ? column : at);
}
// Keys along a common direction with growing (falling) length: the running maximum changes at every
// key (never after the first).
double Ramp(const Source& s, const Position& at, int32_t role, double along) {
  if (IsValue(role)) return s.Normal(at);
  if (!IsKey(role)) return 1 + s.Normal(at) * 0.125;
  return along * 4 + s.Normal(at) * 0.0625;
}
double Along(const Position& at) {
  return static_cast<double>(at.row) / static_cast<double>(std::max<int64_t>(at.rows - 1, 1));
}
double Rising(const Source& s, const Position& at, int32_t role) {
  return Ramp(s, at, role, Along(at));
}
double Falling(const Source& s, const Position& at, int32_t role) {
  return Ramp(s, at, role, 1 - Along(at));
}
// V in pairs of opposite sign: the output is what rounding leaves of a sum that cancels.
double Cancelling(const Source& s, const Position& at, int32_t role) {
  if (!IsValue(role)) return s.Normal(at) * 0.125;
  Position pair = at;
  pair.index = static_cast<uint64_t>(at.row / 2 * 4096 + at.column);
  return (at.row % 2 == 0 ? 1 : -1) * (8 + s.Normal(pair));
}
double Tiny(const Source& s, const Position& at, int32_t) { return s.Normal(at) * 0x1p-10; }
double Range(const Source& s, const Position& at, int32_t role) {
  return s.Normal(at) * (IsValue(role) ? 0x1p18 : 1);
}

// What a kind is for self_attention, whose Q, K and V are no inputs: the values of X, and factors
// of the weights and biases that make Q and K, and V.
struct LayerKind {
  Generator x = nullptr;  // nullptr: no such kind
  double queries = 1, values = 1;
};

struct Kind {
  const char* name;
  const char* description;
  Generator value;
  LayerKind layer = {};
};
// f16 cannot hold 2^18: `range` uses what the type can (see FillInput).
constexpr std::array<Kind, 12> kKinds = {{
    {"cancelling", "V in pairs of opposite sign", Cancelling},
    {"constant_v", "every row of V the same: the output is that row", ConstantV},
    {"falling", "scores fall along the keys: the running maximum never changes", Falling},
    {"large_scores", "Q and K x 10: scores of about 100", LargeScores, {NormalKind, 10, 1}},
    {"normal",
     "standard normal values (sum of 12 uniform integers)",
     NormalKind,
     {NormalKind, 1, 1}},
    {"offset_v", "V around 100", OffsetV},
    {"peaky", "Q and K x 3: nearly one-hot weights", Peaky, {NormalKind, 3, 1}},
    {"range", "V x 2^18 (2^8 in f16)", Range, {NormalKind, 1, 0x1p18}},
    {"rising", "scores rise along the keys: the running maximum changes at every key", Rising},
    {"tiny", "everything x 2^-10", Tiny, {Tiny, 1, 1}},
    {"uniform01", "uniform in [0, 1)", Uniform01, {Uniform01, 1, 1}},
    {"uniform11", "uniform in [-1, 1)", Uniform11, {Uniform11, 1, 1}},
}};

const Kind& FindKind(std::string_view name) {
  for (const Kind& kind : kKinds)
    if (name == kind.name) return kind;
  throw std::invalid_argument(UnknownWord("data kind", name, DataKinds()));
}

// Additive masks are moderate biases, boolean ones hide a quarter of the pairs, lengths vary by
// entry.
double MaskValue(const Source& source, const Position& at, int32_t dtype) {
  if (dtype == ATTEST_BOOL) return source.Uniform(at) < 0.75 ? 1 : 0;
  return source.Normal(at);
}

void StoreAny(const attest_tensor& tensor, int64_t offset, double value) {
  if (tensor.dtype == ATTEST_BOOL)
    static_cast<uint8_t*>(tensor.data)[offset] = value != 0;
  else if (tensor.dtype == ATTEST_I64)
    static_cast<int64_t*>(tensor.data)[offset] = static_cast<int64_t>(value);
  else
    StoreElement(tensor.data, tensor.dtype, offset, value);
}

bool IsBias(int32_t role) { return role >= ATTEST_ROLE_BQ && role <= ATTEST_ROLE_BO; }

// Weights of standard deviation 1 / sqrt(inputs), so that what comes out of a map is as large as
// what went in (nn.Linear starts with a third of that variance); biases of half that size, so that
// one that is forgotten shows.
double LayerValue(const attest_problem& problem, const attest_tensor& tensor, const Kind& kind,
                  const Source& source, const Position& at) {
  constexpr double kBias = 0.5;
  const int32_t role = tensor.role;
  if (role == ATTEST_ROLE_X || role == ATTEST_ROLE_X_KV) return kind.layer.x(source, at, role);
  const bool of_values = role == ATTEST_ROLE_WV || role == ATTEST_ROLE_BV;
  const bool of_output = role == ATTEST_ROLE_WO || role == ATTEST_ROLE_BO;
  double factor = of_values ? kind.layer.values : of_output ? 1 : kind.layer.queries;
  if (of_values && kind.value == Range && problem.dtype == ATTEST_F16) factor *= 0x1p-10;
  const double size =
      IsBias(role) ? kBias : 1 / std::sqrt(static_cast<double>(tensor.shape[tensor.rank - 1]));
  return factor * size * source.Normal(at);
}

double ValueOf(const attest_problem& problem, const attest_tensor& tensor, const Kind& kind,
               const Source& source, const Position& at) {
  if (tensor.role == ATTEST_ROLE_MASK) return MaskValue(source, at, tensor.dtype);
  if (tensor.role == ATTEST_ROLE_KV_LENGTHS)
    return 1 + static_cast<double>(HashBits(source.seed, source.stream, at.index) %
                                   static_cast<uint64_t>(problem.kv_sequence_length));
  if (problem.op == ATTEST_OP_SELF_ATTENTION) return LayerValue(problem, tensor, kind, source, at);
  const double value = kind.value(source, at, tensor.role);
  return kind.value == Range && problem.dtype == ATTEST_F16 && IsValue(tensor.role)
             ? value * 0x1p-10
             : value;
}

// Rows [first, last) of the tensor, a row being one run along the last axis.
void FillRows(const attest_problem& problem, const attest_tensor& tensor, const Kind& kind,
              const Source& source, int64_t first, int64_t last) {
  const int last_axis = tensor.rank - 1;
  const int64_t columns = tensor.shape[last_axis];
  for (int64_t row = first; row < last; ++row) {
    const int64_t offset = ElementOffset(tensor, row * columns);
    Position at;
    at.rows = tensor.rank > 1 ? tensor.shape[last_axis - 1] : 1;
    at.row = row % at.rows;
    for (at.column = 0; at.column < columns; ++at.column) {
      at.index = static_cast<uint64_t>(row * columns + at.column);
      StoreAny(tensor, offset + at.column * tensor.strides[last_axis],
               ValueOf(problem, tensor, kind, source, at));
    }
  }
}

// Broadcast dimensions hold one value each.
attest_tensor WithoutBroadcast(attest_tensor tensor) {
  for (int axis = 0; axis < tensor.rank; ++axis)
    if (tensor.strides[axis] == 0) tensor.shape[axis] = 1;
  return tensor;
}

}  // namespace

std::vector<std::string> DataKinds() {
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) names.emplace_back(kind.name);
  return names;
}

bool IsLayerKind(std::string_view kind) { return FindKind(kind).layer.x != nullptr; }

std::string_view DataKindDescription(std::string_view kind) { return FindKind(kind).description; }

void FillInput(const attest_problem& problem, const attest_tensor& described, std::string_view name,
               uint64_t seed, unsigned threads) {
  const Kind& kind = FindKind(name);
  const attest_tensor tensor = WithoutBroadcast(described);
  const Source source{seed, static_cast<uint64_t>(tensor.role)};
  int64_t rows = 1;
  for (int axis = 0; axis + 1 < tensor.rank; ++axis) rows *= tensor.shape[axis];
  const int64_t workers = std::clamp<int64_t>(threads, 1, std::max<int64_t>(rows / 256, 1));
  std::vector<std::jthread> pool;
  for (int64_t i = 0; i < workers; ++i)
    pool.emplace_back([&, i] {
      FillRows(problem, tensor, kind, source, rows * i / workers, rows * (i + 1) / workers);
    });
}

}  // namespace attest
