// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "harness/core/convert.h"

#ifdef __FAST_MATH__
#error "the verifier must not be compiled with fast-math: NaN and rounding are its business"
#endif

namespace attest::judge {
namespace {

constexpr int64_t kRows = 64;         // looked at, besides the worst one
constexpr int64_t kLeastColumns = 4;  // of V: fewer take keys apart too slowly
constexpr int kMostPasses = 8;
constexpr double kRounding = 0.01;  // of a weight: less is precision, not structure
constexpr double kNothing = 0.01;   // of its weight: such a key counts as left out

// The keys [first, first + size) in equal parts, one for each column of V, which may be turned:
// what belongs to a column and not to keys shows by moving with it.
struct Blocks {
  int64_t first = 0, size = 0, columns = 1, turn = 0, part = 1;
  Blocks(int64_t first_key, int64_t keys, int64_t width, int64_t turned)
      : first(first_key),
        size(keys),
        columns(width),
        turn(turned),
        part((keys + width - 1) / width) {}
  int64_t ColumnOf(int64_t key) const {
    return key < first || key >= first + size ? -1 : ColumnOfBlock((key - first) / part);
  }
  int64_t ColumnOfBlock(int64_t block) const { return (block + turn) % columns; }
};

// One row's weight of each block.
struct Weights {
  std::vector<double> got, expected, bound;
  size_t size() const { return got.size(); }
  bool IsNear(size_t c, double factor) const {
    const double allowed = 4 * (1 + factor) * bound[c] + kRounding * factor * expected[c];
    return std::fabs(got[c] - factor * expected[c]) <= allowed;
  }
  bool IsMissing(size_t c) const { return expected[c] > 0 && got[c] < kNothing * expected[c]; }
  size_t CountNear(double factor) const {
    size_t count = 0;
    for (size_t c = 0; c < size(); ++c) count += expected[c] > 0 && IsNear(c, factor) ? 1 : 0;
    return count;
  }
};

Given BlockValues(const CellData& data, const Blocks& blocks) {
  Given given;
  given.tensors = data.tensors;
  given.values.resize(data.tensors.size());
  const std::vector<attest_tensor> inputs = InputTensors(data, 0);
  for (size_t i = 0; i < data.tensors.size(); ++i)
    for (const attest_tensor& input : inputs) {
      if (input.role != data.tensors[i].role) continue;
      given.values[i].resize(input.extent_bytes);
      std::memcpy(given.values[i].data(), input.data, input.extent_bytes);
      if (input.role != ATTEST_ROLE_V) continue;
      for (int64_t b = 0; b < input.shape[0]; ++b)
        for (int64_t h = 0; h < input.shape[1]; ++h)
          for (int64_t j = 0; j < input.shape[2]; ++j)
            for (int64_t c = 0; c < input.shape[3]; ++c)
              StoreElement(given.values[i].data(), input.dtype, OffsetOf(input, b, h, j, c),
                           blocks.ColumnOf(j) == c ? 1 : 0);
    }
  return given;
}

class KeyFinder {
 public:
  KeyFinder(const CellData& data, size_t rounding, const Compute& compute)
      : data_(data),
        p_(data.cell.problem),
        rounding_(data.roundings.at(rounding)),
        compute_(compute) {}

  WrongKeys Find(int64_t worst_row) {
    std::vector<int64_t> rows = reference::SampleRows(p_, kRows, data_.cell.seed);
    if (worst_row >= 0) rows.push_back(worst_row);
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    const Blocks blocks(0, p_.kv_sequence_length, p_.v_head_size, 0);
    if (!Weigh(blocks, rows) || !ChooseRow(rows, worst_row)) return {};
    const Weights weights = weights_[chosen_];
    if (!Weigh({0, p_.kv_sequence_length, p_.v_head_size, 1}, {row_}) ||
        WrongBlocks(weights_[0], factor_) != wrong_)
      return {};
    first_ = blocks.first + wrong_.front() * blocks.part;
    Narrow(weights);
    int64_t size = std::min(blocks.part, p_.kv_sequence_length - first_);
    for (int pass = 0; size > 1 && pass < kMostPasses; ++pass) {
      const Blocks parts(first_, size, p_.v_head_size, pass);
      if (!Weigh(parts, {row_})) return {};
      wrong_ = WrongBlocks(weights_[0], factor_);
      if (wrong_.empty()) return {};
      Narrow(weights_[0]);
      first_ = parts.first + wrong_.front() * parts.part;
      size = std::min(parts.part, parts.first + parts.size - first_);
    }
    if (size > 1) return {};
    return {Text(), single_ || to_the_end_};
  }

 private:
  // weights_ of the rows; false: nobody computes, or what came is no number.
  bool Weigh(const Blocks& blocks, const std::vector<int64_t>& rows) {
    const Given given = BlockValues(data_, blocks);
    CellDataOptions options;
    options.probes = options.answers = false;
    options.given = &given;
    const auto inputs = MakeCellData(data_.cell, options);
    const auto out = compute_(*inputs);
    if (!out) return false;
    reference::Options wanted;
    wanted.rows = rows;
    wanted.roundings = {rounding_};
    const auto tensors = InputTensors(*inputs, 0);
    const reference::Answer answer = reference::ComputeSdpa(p_, Pointers(tensors), wanted);
    weights_.assign(rows.size(), {});
    for (size_t r = 0; r < rows.size(); ++r)
      for (int64_t block = 0; block < p_.v_head_size; ++block) {
        const int64_t c = blocks.ColumnOfBlock(block);
        const auto at = r * static_cast<size_t>(p_.v_head_size) + static_cast<size_t>(c);
        const double got = Got(*out, rows[r], c);
        if (!std::isfinite(got)) return false;
        weights_[r].got.push_back(got);
        weights_[r].expected.push_back(answer.output[at]);
        weights_[r].bound.push_back(answer.bounds[0].output[at]);
      }
    return true;
  }

  double Got(const attest_tensor& out, int64_t row, int64_t column) const {
    const int64_t i = row % p_.q_sequence_length, group = row / p_.q_sequence_length;
    return LoadElement(out.data, out.dtype,
                       OffsetOf(out, group / p_.q_num_heads, group % p_.q_num_heads, i, column));
  }

  // By what most weights of a row differ from what they should be: 1 where some are right.
  static std::optional<double> CommonFactor(const Weights& weights) {
    if (weights.CountNear(1) >= 2) return 1;
    double common = 0;
    size_t most = 0, present = 0;
    for (size_t c = 0; c < weights.size(); ++c) {
      if (!(weights.expected[c] > 8 * weights.bound[c]) || weights.IsMissing(c)) continue;
      ++present;
      const double factor = weights.got[c] / weights.expected[c];
      const size_t count = weights.CountNear(factor);
      if (count > most) most = count, common = factor;
    }
    if (most == 0 || 2 * most < present) return std::nullopt;
    return common;
  }

  static std::vector<int64_t> WrongBlocks(const Weights& weights, double factor) {
    std::vector<int64_t> wrong;
    for (size_t c = 0; c < weights.size(); ++c)
      if (!weights.IsNear(c, factor)) wrong.push_back(static_cast<int64_t>(c));
    return wrong;
  }

  // The worst row where its weights are wrong, else the first such; false: none is.
  bool ChooseRow(const std::vector<int64_t>& rows, int64_t worst_row) {
    for (size_t r = 0; r < rows.size(); ++r) {
      const auto factor = CommonFactor(weights_[r]);
      if (!factor) continue;
      const std::vector<int64_t> wrong = WrongBlocks(weights_[r], *factor);
      if (wrong.empty()) continue;
      if (!wrong_.empty() && wrong.front() != wrong_.front()) same_for_all_rows_ = false;
      if (!wrong_.empty() && rows[r] != worst_row) continue;
      wrong_ = wrong;
      chosen_ = r;
      row_ = rows[r];
      factor_ = *factor;
    }
    return !wrong_.empty();
  }

  // What the wrong blocks of one pass leave of the simple descriptions.
  void Narrow(const Weights& weights) {
    single_ &= wrong_.size() == 1;
    missing_ = hidden_ = true;
    for (const int64_t c : wrong_) {
      missing_ &= weights.IsMissing(static_cast<size_t>(c));
      hidden_ &= weights.expected[static_cast<size_t>(c)] == 0;
    }
    for (auto c = static_cast<size_t>(wrong_.front()); c < weights.size(); ++c)
      to_the_end_ &= weights.expected[c] == 0 ||
                     std::binary_search(wrong_.begin(), wrong_.end(), static_cast<int64_t>(c));
  }

  std::string Text() const {
    const char* what = missing_ ? "without" : hidden_ ? "with hidden" : "with wrong weights of";
    std::string text =
        single_ && !missing_ && !hidden_ ? fmt::format("with a wrong weight of key {}", first_)
        : single_                        ? fmt::format("{} key {}", what, first_)
        : to_the_end_                    ? fmt::format("{} keys from {} on", what, first_)
                      : fmt::format("{} some keys, the first is key {}", what, first_);
    if (same_for_all_rows_) return text;
    return text + fmt::format(" (in row {})", row_ % p_.q_sequence_length);
  }

  const CellData& data_;
  const attest_problem& p_;
  const reference::Rounding& rounding_;
  const Compute& compute_;
  std::vector<Weights> weights_;  // of the rows of the last pass
  std::vector<int64_t> wrong_;    // blocks of the chosen row
  size_t chosen_ = 0;
  int64_t row_ = 0, first_ = 0;
  double factor_ = 1;
  bool same_for_all_rows_ = true;
  bool single_ = true, to_the_end_ = true, missing_ = true, hidden_ = true;
};

}  // namespace

WrongKeys FindWrongKeys(const CellData& data, size_t rounding, int64_t worst_row,
                        const Compute& compute) {
  const attest_problem& p = data.cell.problem;
  if (p.v_head_size < kLeastColumns || p.kv_sequence_length < 2) return {};
  return KeyFinder(data, rounding, compute).Find(worst_row);
}

}  // namespace attest::judge
