// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/needle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "harness/core/convert.h"
#include "harness/core/inputs.h"

namespace attest::judge {
namespace {

constexpr double kUnderflow = 105;    // exp(-104) is below half the least subnormal of f32
constexpr double kLeastGap = 120;     // of scores
constexpr double kKeyAmplitude = 16;  // of codes
constexpr int32_t kToKey = 4,
                  kToForbidden =
                      5;  // weights of the two codes in q: the forbidden one wins if seen
constexpr int64_t kLeastCodeSize = 32;  // below it random codes are too close to one another
constexpr double kMostQuery = 0x1p14;   // finite in f16 even after adding up both codes
constexpr int64_t kValues = 16;         // |V| in 1..16
constexpr int64_t kBlock = 1024;
constexpr int64_t kFewKeys = 512;      // to search through for every row
constexpr int64_t kShortQueries = 64;  // so few rows that every head can have its own targets

double Coarsest(const std::vector<reference::Rounding>& roundings, double head_size) {
  double error = 0;
  for (const reference::Rounding& r : roundings)
    error = std::max(
        error, 2 * r.u_op + r.u_op * r.u_op + Gamma(head_size + 2, r.u_acc) + r.u_s + 8 * r.u_acc);
  return error;
}

bool IsSeen(const std::vector<uint8_t>& flags, const KeyRange& range, int64_t key) {
  return key >= range.first && key < range.last &&
         (flags.empty() || flags[static_cast<size_t>(key)] != 0);
}

}  // namespace

Needle::Needle(const attest_problem& problem, std::shared_ptr<const Visibility> visibility,
               const ProbeOptions& options)
    : problem_(problem), visibility_(std::move(visibility)), options_(options) {
  reason_ = Prepare();
  if (!reason_.empty()) return;
  PlanRows(options.threads);
  int64_t open = 0;
  for (const Target& target : targets_) open += target.key == kOpen;
  const auto rows = static_cast<int64_t>(targets_.size());
  applies_ = 2 * open <= rows;
  if (open > 0)
    reason_ = fmt::format("{} of {} rows have a key that stands out by {:g}", rows - open, rows,
                          kLeastGap);
}

// Chooses codes or a grid, and amplitudes that put the gap beyond exp's underflow, score errors of
// the coarsest contract and an additive mask's values included. Not "": does not apply.
std::string Needle::Prepare() {
  const double scale = std::fabs(problem_.scale), size = static_cast<double>(problem_.head_size);
  const double error = Coarsest(options_.roundings, size), bias = visibility_->bias_range();
  if (problem_.softcap > 0) return "softcap keeps scores too close together for a one-hot row";
  if (!(scale > 0) || !std::isfinite(bias)) return "scores do not depend on Q and K";
  const double most_query = problem_.dtype == ATTEST_F16 ? kMostQuery : 0x1p40;
  if (problem_.head_size >= kLeastCodeSize) {
    codes_.emplace(problem_.kv_sequence_length, problem_.head_size, options_.seed);
    double unit = 0;  // of the distance's effect on a score
    for (query_scale_ = 4; unit < 15; query_scale_ *= 2)
      unit = 2 * scale * kKeyAmplitude * query_scale_;
    query_scale_ /= 2;
    const double slack = unit * (kToKey + kToForbidden) * size * error;
    const double need = std::max(kLeastGap, kUnderflow + slack) + bias;
    if (!(query_scale_ * (kToKey + kToForbidden) <= most_query) || !std::isfinite(need))
      return fmt::format("scale {:g} leaves no gap of {:g} between scores", problem_.scale,
                         kLeastGap);
    least_distance_ = static_cast<int64_t>(std::ceil(need / unit));
    return "";
  }
  grid_.emplace(problem_.kv_sequence_length, problem_.head_size);
  if (!grid_->fits())
    return fmt::format("head_size {} holds no {} exact points", problem_.head_size,
                       problem_.kv_sequence_length);
  // The smallest gap is A / 2; |scale| sum |q||k| is at most A (4 |x|^2 + 4).
  const double share = 0.5 - 8 * static_cast<double>(grid_->largest_square() + 1) * error;
  const double need = std::max((kLeastGap + bias) / 0.5, (kUnderflow + bias) / share);
  if (!(share > 0)) return "the coarsest contract of this cell blurs points of so few dimensions";
  query_scale_ = std::exp2(std::ceil(std::log2(need / scale)));
  const double reach = 2 * std::sqrt(static_cast<double>(grid_->largest_square())) + 1;
  if (!(query_scale_ * reach <= most_query))
    return fmt::format("scale {:g} needs queries beyond the io type", problem_.scale);
  return "";
}

void Needle::PlanRows(unsigned threads) {
  const bool each = grid_ || problem_.q_sequence_length < kShortQueries;
  planned_batches_ = each || visibility_->differs_by_batch() ? problem_.batch_size : 1;
  planned_heads_ = each || visibility_->differs_by_head() ? problem_.q_num_heads : 1;
  const int64_t length = problem_.q_sequence_length;
  targets_.resize(static_cast<size_t>(planned_batches_ * planned_heads_ * length));
  ForRows(static_cast<int64_t>(targets_.size()), threads, [&](int64_t first, int64_t last) {
    std::vector<uint8_t> flags;
    for (int64_t row = first; row < last; ++row) {
      const int64_t group = row / length;
      targets_[static_cast<size_t>(row)] =
          PlanRow(group / planned_heads_, group % planned_heads_, row % length, flags);
    }
  });
}

Needle::Target Needle::PlanRow(int64_t b, int64_t h, int64_t i, std::vector<uint8_t>& flags) const {
  const KeyRange range = visibility_->RangeOf(b, i);
  int64_t seen = range.size();
  if (visibility_->masked()) seen = visibility_->Row(b, h, i, flags);
  if (seen == 0) return {kDead, -1, 0};
  const int64_t row =
      (b * problem_.q_num_heads + h) * 3 + i;  // neighbouring rows and heads try different keys
  const int64_t forbidden = PickForbidden(row, range, flags);
  return grid_ ? PlanGrid(row, KvNumber(b, KvHead(h)), forbidden, range, flags)
               : PlanCodes(row, forbidden, range, flags);
}

Needle::Target Needle::PlanCodes(int64_t row, int64_t forbidden, const KeyRange& range,
                                 const std::vector<uint8_t>& flags) const {
  for (int64_t attempt = 0; attempt < 20; ++attempt) {
    Target target{static_cast<int32_t>(PickKey(row, attempt, range, flags)), -1, 0};
    if (attempt < 14) target.forbidden = static_cast<int32_t>(forbidden);
    if (StandsOut(target, range, flags)) return target;
  }
  return {kOpen, -1, 0};
}

// In a grid the forbidden key decides: the other is a neighbour of it, or among few keys the one
// that happens to be nearest. Half of the rows go without, and point at keys of their own choice.
Needle::Target Needle::PlanGrid(int64_t row, int64_t head, int64_t forbidden, const KeyRange& range,
                                const std::vector<uint8_t>& flags) const {
  Target target{-1, static_cast<int32_t>(forbidden), 0};
  const auto steps = static_cast<int32_t>(2 * grid_->axes());
  const bool lured = forbidden >= 0 && row % 2 == 0;
  for (int32_t at = 0; lured && at < steps; ++at) {
    target.nudge = at % 2 == 0 ? at / 2 + 1 : -(at / 2 + 1);
    target.key =
        static_cast<int32_t>(grid_->Neighbour(forbidden, head, at / 2, target.nudge > 0 ? 1 : -1));
    if (IsSeen(flags, range, target.key)) return target;
  }
  for (int32_t at = 0; lured && range.size() <= kFewKeys && at <= steps; ++at) {
    target.nudge = at % 2 == 0 ? at / 2 : -(at / 2 + 1);
    if (IsNearest(target, head, range, flags)) return target;
  }
  return {static_cast<int32_t>(PickKey(row / 2, 0, range, flags)), -1, 0};
}

// Finds the seen key nearest to the target's query, and whether it is so by enough, and farther
// than the forbidden one by enough. Squared distances in sixteenths.
bool Needle::IsNearest(Target& target, int64_t head, const KeyRange& range,
                       const std::vector<uint8_t>& flags) const {
  int64_t nearest = INT64_MAX / 2, second = INT64_MAX / 2;
  for (int64_t key = range.first; key < range.last; ++key) {
    if (!IsSeen(flags, range, key)) continue;
    int64_t distance = 0;
    for (int64_t axis = 0; axis < grid_->axes(); ++axis) {
      const int64_t nudge = axis + 1 == target.nudge ? 1 : (axis + 1 == -target.nudge ? -1 : 0);
      const int64_t step = 4 * (grid_->Coordinate(key, head, axis) -
                                grid_->Coordinate(target.forbidden, head, axis)) -
                           nudge;
      distance += step * step;
    }
    if (distance < nearest) target.key = static_cast<int32_t>(key);
    second = std::min(second, std::max(distance, nearest));
    nearest = std::min(nearest, distance);
  }
  const int64_t forbidden = target.nudge == 0 ? 0 : 1;
  return second - nearest >= 8 && nearest - forbidden >= 8;
}

bool Needle::StandsOut(const Target& target, const KeyRange& range,
                       const std::vector<uint8_t>& flags) const {
  const int32_t weight = target.forbidden < 0 ? 0 : kToForbidden;
  const int64_t other = std::max<int64_t>(target.forbidden, 0);
  const int64_t own = weight == 0 ? 0 : weight * codes_->Hamming(target.key, other);
  int32_t distances[kBlock];
  for (int64_t first = range.first; first < range.last; first += kBlock) {
    const int64_t count = std::min(kBlock, range.last - first);
    codes_->Distances(target.key, kToKey, other, weight, first, count, distances);
    if (target.key >= first && target.key < first + count)
      distances[target.key - first] = INT32_MAX;
    int32_t least = INT32_MAX;
    for (int64_t n = 0; n < count; ++n) {
      const bool counts = flags.empty() || flags[static_cast<size_t>(first + n)] != 0;
      least = std::min(least, counts ? distances[n] : INT32_MAX);
    }
    if (least < own + least_distance_) return false;
  }
  return true;
}

// Last and first key in turn, both sides of tile edges, keys anywhere; moved on to the next one
// seen.
int64_t Needle::PickKey(int64_t row, int64_t attempt, const KeyRange& range,
                        const std::vector<uint8_t>& flags) const {
  const uint64_t hash =
      HashBits(options_.seed + static_cast<uint64_t>(attempt), 103, static_cast<uint64_t>(row));
  const int64_t kind = attempt == 0 ? row % 8 : static_cast<int64_t>(hash % 8);
  int64_t key = range.first + static_cast<int64_t>(hash >> 8) % range.size();
  if (kind == 0) key = range.last - 1;
  if (kind == 1) key = range.first;
  if (kind >= 2 && kind < 6) {
    const int64_t tile = int64_t{16} << (hash >> 3) % 5;
    key = (key + tile - 1) / tile * tile - static_cast<int64_t>(hash >> 6) % 2;
  }
  key = std::clamp(key, range.first, range.last - 1);
  const int64_t step = kind == 0 ? -1 : 1;
  while (!IsSeen(flags, range, key)) {
    key += step;
    if (key >= range.last) key = range.first;
    if (key < range.first) key = range.last - 1;
  }
  return key;
}

// The key behind the last, or before the first; under a mask just as often one that the mask hides.
// -1: none.
int64_t Needle::PickForbidden(int64_t row, const KeyRange& range,
                              const std::vector<uint8_t>& flags) const {
  const uint64_t hash = HashBits(options_.seed, 104, static_cast<uint64_t>(row));
  const int64_t length = problem_.kv_sequence_length;
  if (!flags.empty() && (hash & 1) != 0) {
    const auto start = static_cast<int64_t>((hash >> 8) % static_cast<uint64_t>(length));
    for (int64_t n = 0; n < length; ++n)
      if (flags[static_cast<size_t>((start + n) % length)] == 0) return (start + n) % length;
  }
  const int64_t after = range.last < length ? range.last : -1, before = range.first - 1;
  if (after >= 0 && before >= 0) return (hash & 2) != 0 ? after : before;
  return std::max(after, before);
}

const Needle::Target& Needle::TargetOf(int64_t b, int64_t h, int64_t i) const {
  const int64_t batch = planned_batches_ == 1 ? 0 : b, head = planned_heads_ == 1 ? 0 : h;
  return targets_[static_cast<size_t>((batch * planned_heads_ + head) * problem_.q_sequence_length +
                                      i)];
}

// Heads share the codes, each with its own signs of the dimensions: as far from one another as
// other codes.
int Needle::Flip(int64_t kv, int64_t t) const {
  return HashBits(options_.seed, 105, static_cast<uint64_t>(kv * 65536 + t)) & 1 ? -1 : 1;
}

double Needle::KeyElement(int64_t kv, int64_t key, int64_t t) const {
  if (codes_) return kKeyAmplitude * codes_->Sign(key, t) * Flip(kv, t);
  if (t < grid_->axes()) return static_cast<double>(grid_->Coordinate(key, kv, t));
  double square = 0;
  for (int64_t axis = 0; t == problem_.head_size - 1 && axis < grid_->axes(); ++axis)
    square += std::pow(static_cast<double>(grid_->Coordinate(key, kv, axis)), 2);
  return square;
}

double Needle::QueryElement(int64_t kv, const Target& target, int64_t t) const {
  if (target.key < 0) return 0;
  const double amplitude = std::copysign(query_scale_, problem_.scale);
  const bool lured = target.forbidden >= 0;
  if (codes_) {
    const int sum = kToKey * codes_->Sign(target.key, t) +
                    (lured ? kToForbidden * codes_->Sign(target.forbidden, t) : 0);
    return amplitude * sum * Flip(kv, t);
  }
  if (t >= grid_->axes()) return t == problem_.head_size - 1 ? -amplitude : 0;
  if (!lured) return amplitude * 2 * static_cast<double>(grid_->Coordinate(target.key, kv, t));
  const double nudge = t + 1 == target.nudge ? 0.25 : (t + 1 == -target.nudge ? -0.25 : 0);
  return amplitude * 2 * (static_cast<double>(grid_->Coordinate(target.forbidden, kv, t)) + nudge);
}

double Needle::ValueElement(int64_t kv, int64_t key, int64_t c) const {
  const uint64_t hash = HashBits(options_.seed, 106 + static_cast<uint64_t>(kv),
                                 static_cast<uint64_t>(key * problem_.v_head_size + c));
  const auto magnitude = static_cast<double>(1 + hash % kValues);
  return hash & 256 ? -magnitude : magnitude;
}

void Needle::Fill(int, const attest_tensor& tensor) const {
  ForRows(tensor.shape[0] * tensor.shape[1] * tensor.shape[2], options_.threads,
          [&](int64_t first, int64_t last) {
            for (int64_t row = first; row < last; ++row) {
              const int64_t i = row % tensor.shape[2], group = row / tensor.shape[2];
              const int64_t h = group % tensor.shape[1], b = group / tensor.shape[1];
              for (int64_t c = 0; c < tensor.shape[3]; ++c) {
                double value = 0;
                if (tensor.role == ATTEST_ROLE_Q)
                  value = QueryElement(KvNumber(b, KvHead(h)), TargetOf(b, h, i), c);
                if (tensor.role == ATTEST_ROLE_K) value = KeyElement(KvNumber(b, h), i, c);
                if (tensor.role == ATTEST_ROLE_V) value = ValueElement(KvNumber(b, h), i, c);
                StoreElement(tensor.data, tensor.dtype, OffsetOf(tensor, b, h, i, c), value);
              }
            }
          });
}

}  // namespace attest::judge
