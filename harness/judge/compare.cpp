// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "harness/core/convert.h"
#include "harness/core/tensors.h"

#ifdef __FAST_MATH__
#error "the verifier must not be compiled with fast-math: NaN and rounding are its business"
#endif

namespace attest::judge {
namespace {

struct Row {
  int64_t batch = 0, head = 0, index = 0;
};

Row RowOf(const attest_problem& problem, int64_t number) {
  const int64_t group = number / problem.q_sequence_length;
  const int64_t heads = reference::OutputHeads(problem);
  return {group / heads, group % heads, number % problem.q_sequence_length};
}

int64_t RowOffset(const attest_tensor& tensor, const Row& row) {
  return row.batch * tensor.strides[0] + row.head * tensor.strides[1] +
         row.index * tensor.strides[2];
}

// Spacing of the io type's numbers at `value`, for max_ulp.
double UnitInLastPlace(double value, int32_t dtype) {
  const int digits = dtype == ATTEST_F64   ? 53
                     : dtype == ATTEST_F32 ? 24
                     : dtype == ATTEST_F16 ? 11
                                           : 8;
  const int least = dtype == ATTEST_F64 ? -1022 : dtype == ATTEST_F16 ? -14 : -126;
  const int exponent = value == 0 ? least : std::max(std::ilogb(value), least);
  return std::ldexp(1.0, exponent - digits + 1);
}

// error / bound, where a bound of 0 allows no error at all; NaN and infinity come out as infinity.
double Ratio(double error, double bound) {
  if (error == 0) return 0;
  if (!(error <= std::numeric_limits<double>::max())) return INFINITY;
  return bound > 0 ? error / bound : INFINITY;
}

// Half least subnormals: below that many of them a value's rounding always shrinks it, say, and
// errors correlate with values without anybody's fault.
constexpr double kStepsForBias = 32;

// <error, direction>, in standard deviations of a row's. Errors of a row share its softmax
// denominator, so a row is one observation.
class Slope {
 public:
  Slope(const CellData& data, int set, size_t rounding)
      : expected_(data.answers[set].output.data()),
        direction_(data.lean_directions[set].empty() ? expected_
                                                     : data.lean_directions[set].data()),
        least_(kStepsForBias * data.roundings.at(rounding).eta_out) {}

  void Add(size_t at, double got) {
    if (std::fabs(expected_[at]) >= least_) row_ += (got - expected_[at]) * direction_[at];
  }
  void EndRow() {
    sum_ += row_;
    squared_ += row_ * row_;
    row_ = 0;
  }
  double z() const { return squared_ > 0 ? sum_ / std::sqrt(squared_) : 0; }

 private:
  const double *expected_, *direction_;
  double least_, row_ = 0, sum_ = 0, squared_ = 0;
};

// Sums over the compared elements of OUT.
class Figures {
 public:
  Figures(const CellData& data, int set, size_t rounding)
      : data_(data),
        answer_(data.answers[set]),
        bound_(answer_.bounds.at(rounding)),
        slope_(data, set, rounding) {
    resolving_.reserve(answer_.output.size());
  }

  void Add(const Row& row, size_t at, int64_t column, double got) {
    const double expected = answer_.output[at], bound = bound_.output[at];
    const double error = IsNan(got) ? INFINITY : std::fabs(got - expected);
    const bool ok = error <= bound;
    result_.outside += !ok;
    result_.beyond_probabilistic += ok && !(error <= bound_.probabilistic[at]);
    const double ratio = Ratio(error, bound);
    auto& figures = result_.figures;
    if (!figures.worst || ratio > figures.error_over_bound) {
      figures.worst = report::Worst{row.batch, row.head, row.index, column, expected, got};
      figures.error_over_bound = ratio;
    }
    probabilistic_ = std::max(probabilistic_, Ratio(error, bound_.probabilistic[at]));
    figures.max_abs_error = std::max(figures.max_abs_error, error);
    ulp_ = std::max(ulp_, error / UnitInLastPlace(expected, data_.cell.problem.dtype));
    squared_error_ += error * error;
    squared_ += expected * expected;
    slope_.Add(at, got);
    if (!data_.value_ranges.empty() && data_.value_ranges[column] > 0)
      resolving_.push_back(bound / data_.value_ranges[column]);
    ++result_.elements;
  }

  void EndRow() { slope_.EndRow(); }

  Comparison Take() {
    auto& figures = result_.figures;
    figures.error_over_probabilistic_bound = probabilistic_;
    figures.max_ulp = ulp_;
    figures.nmse = squared_ > 0 ? squared_error_ / squared_ : (squared_error_ == 0 ? 0 : INFINITY);
    figures.bias_z = slope_.z();
    if (!resolving_.empty()) {
      const auto middle = resolving_.begin() + static_cast<std::ptrdiff_t>(resolving_.size() / 2);
      std::nth_element(resolving_.begin(), middle, resolving_.end());
      figures.resolving_power = *middle;
    }
    return std::move(result_);
  }

 private:
  const CellData& data_;
  const reference::Answer& answer_;
  const reference::Bound& bound_;
  Slope slope_;
  Comparison result_;
  std::vector<double> resolving_;
  double probabilistic_ = 0, ulp_ = 0, squared_error_ = 0, squared_ = 0;
};

Comparison CompareOut(const CellData& data, int set, size_t rounding, const attest_tensor& tensor) {
  const reference::Answer& answer = data.answers[set];
  Figures figures(data, set, rounding);
  const attest_tensor out = OutputRows(data.cell.problem, tensor);
  const int64_t columns = reference::OutputColumns(data.cell.problem);
  for (size_t r = 0; r < answer.rows.size(); ++r) {
    const Row row = RowOf(data.cell.problem, answer.rows[r]);
    const int64_t offset = RowOffset(out, row);
    for (int64_t c = 0; c < columns; ++c)
      figures.Add(row, r * static_cast<size_t>(columns) + static_cast<size_t>(c), c,
                  LoadElement(out.data, out.dtype, offset + c * out.strides[3]));
    figures.EndRow();
  }
  return figures.Take();
}

// LSE (columns = 1) or WEIGHTS: the first element outside its bound, in words.
std::string CompareExtra(const CellData& data, const reference::Answer& answer,
                         const std::vector<double>& expected, const std::vector<double>& bound,
                         const attest_tensor& tensor) {
  const auto columns = static_cast<int64_t>(tensor.role == ATTEST_ROLE_LSE ? 1 : tensor.shape[3]);
  const int64_t heads = data.cell.problem.q_num_heads / reference::OutputHeads(data.cell.problem);
  for (size_t n = 0; n < answer.rows.size() * static_cast<size_t>(heads); ++n) {
    Row row = RowOf(data.cell.problem, answer.rows[n / static_cast<size_t>(heads)]);
    row.head = row.head * heads + static_cast<int64_t>(n) % heads;
    for (int64_t c = 0; c < columns; ++c) {
      const size_t at = n * static_cast<size_t>(columns) + static_cast<size_t>(c);
      const double got =
          LoadElement(tensor.data, tensor.dtype,
                      RowOffset(tensor, row) + (columns > 1 ? c * tensor.strides[3] : 0));
      const bool ok = got == expected[at] || std::fabs(got - expected[at]) <= bound[at];
      if (!ok)
        return fmt::format(
            "{} of batch {}, head {}, row {}, key {}: expected {:.9g}, got {:.9g}, bound {:.3g}",
            RoleName(tensor.role), row.batch, row.head, row.index, c, expected[at], got, bound[at]);
    }
  }
  return "";
}

bool IsPoison(const std::byte* at, size_t offset, size_t bytes, uint32_t poison) {
  if (bytes == sizeof poison && offset % sizeof poison == 0) {  // f32: nearly every call
    uint32_t word;
    std::memcpy(&word, at, sizeof word);
    return word == poison;
  }
  const auto pattern = std::bit_cast<std::array<std::byte, 4>>(poison);
  for (size_t i = 0; i < bytes; ++i)
    if (at[i] != pattern[(offset + i) % 4]) return false;
  return true;
}

std::string CheckMargin(const Output& output, size_t first, size_t last, const char* where,
                        uint32_t poison) {
  const std::byte* data = output.buffer->data();
  for (size_t i = first; i < last; ++i)
    if (!IsPoison(data + i, i, 1, poison))
      return fmt::format("wrote {} {}: byte {} of the margin changed", where,
                         RoleName(output.tensor.role), i - first);
  return "";
}

// One flag per element of the extent: is it part of the tensor, or a gap between its rows?
std::vector<bool> Members(const attest_tensor& tensor) {
  std::vector<bool> member(static_cast<size_t>(ExtentElements(tensor)), false);
  const int64_t count = StoredElements(tensor);
  for (int64_t index = 0; index < count; ++index)
    member[static_cast<size_t>(ElementOffset(tensor, index))] = true;
  return member;
}

}  // namespace

std::string CheckMemory(const Output& output, uint32_t poison) {
  const attest_tensor& tensor = output.tensor;
  const auto first =
      static_cast<size_t>(static_cast<const std::byte*>(tensor.data) - output.buffer->data());
  const size_t end = first + tensor.extent_bytes;
  std::string problem = CheckMargin(output, 0, first, "before the start of", poison);
  if (problem.empty())
    problem = CheckMargin(output, end, output.buffer->bytes(), "past the end of", poison);
  if (!problem.empty()) return problem;
  const size_t size = DtypeBytes(tensor.dtype);
  const bool dense = StoredElements(tensor) == ExtentElements(tensor);
  const std::vector<bool> member = dense ? std::vector<bool>() : Members(tensor);
  int64_t unwritten = 0, first_unwritten = -1;
  const int64_t elements = ExtentElements(tensor);
  for (int64_t i = 0; i < elements; ++i) {
    const size_t at = first + static_cast<size_t>(i) * size;
    const bool poisoned = IsPoison(output.buffer->data() + at, at, size, poison);
    const bool belongs = dense || member[static_cast<size_t>(i)];
    if (!belongs && !poisoned)
      return fmt::format("wrote into the gap between rows of {} (element {})",
                         RoleName(tensor.role), i);
    if (belongs && poisoned && unwritten++ == 0) first_unwritten = i;
  }
  if (unwritten == 0) return "";
  return fmt::format("{} of {} elements of {} never written, the first is element {}", unwritten,
                     StoredElements(tensor), RoleName(tensor.role), first_unwritten);
}

bool IsRight(const CellData& data, int set, size_t rounding, const std::vector<Output>& outputs,
             uint32_t poison) {
  const reference::Answer& answer = data.answers[set];
  const reference::Bound& bound = answer.bounds.at(rounding);
  const auto columns = static_cast<size_t>(reference::OutputColumns(data.cell.problem));
  for (const Output& output : outputs) {
    if (!CheckMemory(output, poison).empty()) return false;
    if (output.tensor.role != ATTEST_ROLE_OUT) return false;
    const attest_tensor out = OutputRows(data.cell.problem, output.tensor);
    Slope slope(data, set, rounding);
    for (size_t r = 0; r < answer.rows.size(); ++r) {
      const int64_t offset = RowOffset(out, RowOf(data.cell.problem, answer.rows[r]));
      for (size_t c = 0; c < columns; ++c) {
        const double got =
            LoadElement(out.data, out.dtype, offset + static_cast<int64_t>(c) * out.strides[3]);
        const size_t at = r * columns + c;
        if (!(std::fabs(got - answer.output[at]) <= bound.output[at])) return false;
        slope.Add(at, got);
      }
      slope.EndRow();
    }
    if (!(std::fabs(slope.z()) < kBiasLimit)) return false;
  }
  return true;
}

Comparison Compare(const CellData& data, int set, size_t rounding,
                   const std::vector<Output>& outputs, uint32_t poison) {
  const reference::Answer& answer = data.answers[set];
  const reference::Bound& bound = answer.bounds.at(rounding);
  Comparison result;
  for (const Output& output : outputs)
    if (output.tensor.role == ATTEST_ROLE_OUT)
      result = CompareOut(data, set, rounding, output.tensor);
  for (const Output& output : outputs) {
    if (result.memory.empty()) result.memory = CheckMemory(output, poison);
    if (!result.failure.empty()) continue;
    if (output.tensor.role == ATTEST_ROLE_LSE)
      result.failure = CompareExtra(data, answer, answer.lse, bound.lse, output.tensor);
    if (output.tensor.role == ATTEST_ROLE_WEIGHTS)
      result.failure = CompareExtra(data, answer, answer.weights, bound.weights, output.tensor);
  }
  return result;
}

}  // namespace attest::judge
