// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/count.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "harness/core/convert.h"
#include "harness/core/inputs.h"

#ifdef __FAST_MATH__
#error "the verifier must not be compiled with fast-math: NaN and rounding are its business"
#endif

namespace attest::judge {
namespace {

constexpr double kSingle = 0x1p-23;  // accumulation coarser than this does not count to thousands
constexpr double kUnique = 0.45;     // of an integer: below 0.5, where two are as near
constexpr int64_t kEnoughColumns = 16;  // to tell keys, heads and batch entries apart
constexpr int kMostPasses = 4;
constexpr double kKeptSums = 256;  // roundings of a sum of equal terms that are 1 within 8 units

// Of sum(ones) / n, relative. Equal terms near 1 add up exactly once the sum's spacing exceeds
// their distance from 1; an exp that is further off makes every addition round.
double ErrorOf(const reference::Rounding& r, int64_t keys, double ones) {
  const double sums = r.eps_exp <= 8 * r.u_acc ? kKeptSums * r.u_acc
                                               : Gamma(static_cast<double>(keys) + 8, r.u_acc);
  return (sums + Gamma(ones + 8, r.u_acc) + r.u_p + r.u_op) * (1 + r.u_out) + r.u_out +
         static_cast<double>(keys) * (r.eta_p + r.eta_out);
}

}  // namespace

Count::Count(const attest_problem& problem, std::shared_ptr<const Visibility> visibility,
             const ProbeOptions& options)
    : problem_(problem), visibility_(std::move(visibility)), options_(options) {
  if (visibility_->bias_range() != 0) {
    reason_ = "an additive mask makes the weights unequal";
    return;
  }
  const int64_t keys = problem.kv_sequence_length;
  most_ones_ = keys;
  for (const reference::Rounding& rounding : options.roundings)
    while (most_ones_ > 0 && !(static_cast<double>(most_ones_) *
                                   ErrorOf(rounding, keys, static_cast<double>(most_ones_)) <
                               kUnique))
      most_ones_ = most_ones_ * 9 / 10;
  if (most_ones_ == 0) {
    reason_ = fmt::format("no contract of this cell counts {} keys", keys);
    return;
  }
  const int64_t wide = problem.v_head_size;
  passes_ = 1;
  while (passes_ < kMostPasses && passes_ * wide < kEnoughColumns) ++passes_;
  if (passes_ == 1 && wide * most_ones_ < keys) passes_ = 2;
  columns_ = passes_ * wide;
  ones_.resize(static_cast<size_t>(problem.batch_size * problem.kv_num_heads * keys * columns_));
  const int64_t rows = problem.batch_size * problem.q_num_heads * problem.q_sequence_length;
  expected_.resize(static_cast<size_t>(rows * columns_));
  keys_.resize(static_cast<size_t>(rows));
  ForRows(problem.batch_size * problem.kv_num_heads * keys, options.threads,
          [&](int64_t first, int64_t last) {
            for (int64_t at = first; at < last; ++at)
              for (int64_t c = 0; c < columns_; ++c)
                ones_[static_cast<size_t>(at * columns_ + c)] = HasOne(at / keys, at % keys, c);
          });
  ForRows(problem.batch_size * problem.q_num_heads, options.threads,
          [&](int64_t first, int64_t last) {
            for (int64_t head = first; head < last; ++head)
              CountRows(head / problem.q_num_heads, head % problem.q_num_heads);
          });
}

// Column 0: every key. Column 1: the last and the first key. The others: as many keys as a column
// may hold, one of each block of `period` keys by a hash of head and block: in even columns each
// key of a block has its turn, odd ones are all their own. Where a column may hold all keys: a
// random half.
bool Count::HasOne(int64_t kv, int64_t key, int64_t column) const {
  const int64_t keys = problem_.kv_sequence_length;
  if (column == 0 && columns_ > 1) return true;
  if (column == 1 && columns_ > 2) return key == keys - 1 || (key == 0 && most_ones_ >= 2);
  const int64_t period = std::max<int64_t>(1, (keys + most_ones_ - 1) / most_ones_);
  const uint64_t stream = 120 + static_cast<uint64_t>(kv);
  const bool turns = period > 1 && column % 2 == 0;
  const uint64_t own =
      HashBits(options_.seed, stream, turns ? 0 : static_cast<uint64_t>(column + 1));
  const uint64_t hash = HashBits(own, 121, static_cast<uint64_t>(key / period));
  if (period == 1) return (hash & 1) != 0;
  const auto start = static_cast<int64_t>(hash >> 32) + (turns ? column / 2 : 0);
  return key % period == start % period;
}

void Count::AddKey(int64_t kv, int64_t key, int32_t sign, int32_t* counts) const {
  const uint8_t* ones = ones_.data() + (kv * problem_.kv_sequence_length + key) * columns_;
  for (int64_t c = 0; c < columns_; ++c) counts[c] += sign * ones[c];
}

// Ranges move by a key from row to row: counts follow them. Masks are counted anew.
void Count::CountRows(int64_t b, int64_t h) {
  const int64_t kv = KvNumber(b, h), length = problem_.q_sequence_length;
  std::vector<int32_t> counts(static_cast<size_t>(columns_));
  std::vector<uint8_t> flags;
  KeyRange counted;
  for (int64_t i = 0; i < length; ++i) {
    KeyRange range = visibility_->RangeOf(b, i);
    int64_t seen = range.size();
    if (visibility_->masked()) {
      seen = visibility_->Row(b, h, i, flags);
      std::fill(counts.begin(), counts.end(), 0);
      for (int64_t j = range.first; j < range.last; ++j)
        if (flags[static_cast<size_t>(j)] != 0) AddKey(kv, j, 1, counts.data());
    } else if (range.size() == 0 || counted.size() == 0) {
      std::fill(counts.begin(), counts.end(), 0);
      for (int64_t j = range.first; j < range.last; ++j) AddKey(kv, j, 1, counts.data());
      counted = range;
    } else {
      for (; counted.last < range.last; ++counted.last) AddKey(kv, counted.last, 1, counts.data());
      for (; counted.first < range.first; ++counted.first)
        AddKey(kv, counted.first, -1, counts.data());
    }
    const int64_t row = (b * problem_.q_num_heads + h) * length + i;
    keys_[static_cast<size_t>(row)] = static_cast<int32_t>(seen);
    std::copy(counts.begin(), counts.end(), expected_.begin() + row * columns_);
  }
}

double Count::RelativeError(const reference::Rounding& rounding) const {
  return ErrorOf(rounding, problem_.kv_sequence_length, static_cast<double>(most_ones_));
}

std::string Count::Exempts(const reference::Rounding& rounding) const {
  if (!(rounding.u_acc <= kSingle)) return "accumulates more coarsely than f32";
  if (!(RelativeError(rounding) * static_cast<double>(most_ones_) < 0.5))
    return "its contract does not tell integers apart";
  return "";
}

void Count::Fill(int pass, const attest_tensor& tensor) const {
  const bool values = tensor.role == ATTEST_ROLE_V;
  ForRows(tensor.shape[0] * tensor.shape[1] * tensor.shape[2], options_.threads,
          [&](int64_t first, int64_t last) {
            for (int64_t row = first; row < last; ++row) {
              const int64_t i = row % tensor.shape[2], group = row / tensor.shape[2];
              const int64_t h = group % tensor.shape[1], b = group / tensor.shape[1];
              const uint8_t* ones =
                  values ? ones_.data() + row * columns_ + pass * problem_.v_head_size : nullptr;
              for (int64_t c = 0; c < tensor.shape[3]; ++c)
                StoreElement(tensor.data, tensor.dtype, OffsetOf(tensor, b, h, i, c),
                             values ? ones[c] : 0);
            }
          });
}

std::string Count::Check(int pass, const attest_tensor& out,
                         const reference::Rounding& rounding) const {
  const int64_t wide = problem_.v_head_size, length = problem_.q_sequence_length,
                heads = problem_.q_num_heads;
  const auto rows = static_cast<int64_t>(keys_.size());
  const double relative = RelativeError(rounding);
  std::atomic<int64_t> wrong = 0, first_wrong = rows * wide;
  ForRows(rows, options_.threads, [&](int64_t first, int64_t last) {
    for (int64_t at = first * wide; at < last * wide; ++at) {
      const int64_t row = at / wide, c = at % wide;
      const double keys = keys_[static_cast<size_t>(row)];
      const double ones = expected_[static_cast<size_t>(row * columns_ + pass * wide + c)];
      const double got =
          LoadElement(out.data, out.dtype,
                      OffsetOf(out, row / length / heads, row / length % heads, row % length, c));
      // A row that sees no key is 0 itself, not 0 times no keys.
      const bool right = keys == 0 ? got == 0 : std::fabs(got * keys - ones) <= ones * relative;
      if (right) continue;
      ++wrong;
      int64_t known = first_wrong;
      while (at < known && !first_wrong.compare_exchange_weak(known, at)) continue;
    }
  });
  if (wrong == 0) return "";
  return fmt::format("{} of {} elements wrong; {}", wrong.load(), rows * wide,
                     WrongElement(pass, out, first_wrong / wide, first_wrong % wide));
}

std::string Count::WrongElement(int pass, const attest_tensor& out, int64_t row, int64_t c) const {
  const int64_t length = problem_.q_sequence_length, heads = problem_.q_num_heads;
  const int64_t i = row % length, h = row / length % heads, b = row / length / heads;
  const int32_t keys = keys_[static_cast<size_t>(row)];
  const double got = LoadElement(out.data, out.dtype, OffsetOf(out, b, h, i, c));
  std::string text = fmt::format("batch {}, head {}, row {}, column {}: ", b, h, i, c);
  if (keys == 0) return text + fmt::format("sees no key, expected 0, got {:.9g}", got);
  const int32_t ones =
      expected_[static_cast<size_t>(row * columns_ + pass * problem_.v_head_size + c)];
  text += fmt::format("expected {} of {} keys, got {:.7g}", ones, keys, got * keys);
  if (pass == 0 && c == 0 && columns_ > 1 && got > 0 && got < 1)
    text += fmt::format(" (as if {:.2f} keys were summed up, those beyond the {} being zero)",
                        keys / got, keys);
  return text;
}

}  // namespace attest::judge
