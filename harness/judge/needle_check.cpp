// SPDX-License-Identifier: Apache-2.0
//
// The needle's answers: every row compared, and the first wrong one explained.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "harness/core/convert.h"
#include "harness/judge/needle.h"

#ifdef __FAST_MATH__
#error "the verifier must not be compiled with fast-math: NaN and rounding are its business"
#endif

namespace attest::judge {
namespace {

constexpr double kSingle = 0x1p-23;    // accumulation coarser than this blurs the gap
constexpr double kMostHalf = 60000;    // below f16's overflow
constexpr double kHalfUnit = 0x1p-11;  // f16
constexpr double kGreatestValue = 16;  // of |V|
constexpr double kOtherRow =
    0x1p-6;  // how near a row must be to a key's V for that key to be named

// got = value, up to the relative error `close` before the output was rounded. V lies on the io
// type's grid, so an error below half its spacing is rounded away.
bool IsValue(double got, double value, double close, double unit) {
  const double rounded = close < unit / 2 ? 0 : close + unit * (1 + close);
  return std::fabs(got - value) <= rounded * std::fabs(value);
}

}  // namespace

std::string Needle::Exempts(const reference::Rounding& rounding) const {
  if (!(rounding.u_acc <= kSingle)) return "accumulates more coarsely than f32";
  if (!(Tolerance(rounding) * kGreatestValue < 0.5))
    return "its contract does not tell integers apart";
  const double greatest = std::fabs(problem_.scale) * kGreatestValue * query_scale_ * 9 *
                          static_cast<double>(problem_.head_size);
  if (rounding.u_s == kHalfUnit && !(greatest < kMostHalf))
    return "scores stored in f16 would overflow";
  return "";
}

// p v / l of one key: rounding of P, of the operands, of the division and of every rescale by 1
// after it.
double Needle::Tolerance(const reference::Rounding& rounding) const {
  const double rescales = static_cast<double>(problem_.kv_sequence_length) / 8;
  return rounding.u_p + rounding.u_op + Gamma(16 + rescales, rounding.u_acc);
}

std::string Needle::Check(int, const attest_tensor& out,
                          const reference::Rounding& rounding) const {
  const double close = Tolerance(rounding);
  const int64_t length = problem_.q_sequence_length, heads = problem_.q_num_heads;
  const int64_t rows = problem_.batch_size * heads * length;
  std::atomic<int64_t> wrong = 0, first_wrong = rows;
  ForRows(rows, options_.threads, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      const int64_t i = row % length, h = row / length % heads, b = row / length / heads;
      const Target& target = TargetOf(b, h, i);
      bool right = true;
      for (int64_t c = 0; c < problem_.v_head_size && target.key != kOpen; ++c) {
        const double value =
            target.key == kDead ? 0 : ValueElement(KvNumber(b, KvHead(h)), target.key, c);
        right &= IsValue(LoadElement(out.data, out.dtype, OffsetOf(out, b, h, i, c)), value, close,
                         rounding.u_out);
      }
      if (right) continue;
      ++wrong;
      int64_t known = first_wrong;
      while (row < known && !first_wrong.compare_exchange_weak(known, row)) continue;
    }
  });
  if (wrong == 0) return "";
  const int64_t row = first_wrong, i = row % length, h = row / length % heads,
                b = row / length / heads;
  return fmt::format("{} of {} rows wrong; {}", wrong.load(), rows,
                     WrongRow(out, b, h, i, TargetOf(b, h, i)));
}

std::string Needle::WrongRow(const attest_tensor& out, int64_t b, int64_t h, int64_t i,
                             const Target& target) const {
  std::string text = fmt::format("batch {}, head {}, row {}: ", b, h, i);
  if (target.key == kDead)
    text += "sees no key, expected 0";
  else
    text += fmt::format("expected V of key {} (keys {} to {} are in range)", target.key,
                        visibility_->RangeOf(b, i).first, visibility_->RangeOf(b, i).last - 1);
  text += ", got " + WhoAnswered(out, b, h, i, kOtherRow);
  if (target.forbidden >= 0) text += fmt::format("; key {} is hidden from it", target.forbidden);
  return text;
}

std::string Needle::WhoAnswered(const attest_tensor& out, int64_t b, int64_t h, int64_t i,
                                double close) const {
  std::vector<double> got;
  for (int64_t c = 0; c < problem_.v_head_size; ++c)
    got.push_back(LoadElement(out.data, out.dtype, OffsetOf(out, b, h, i, c)));
  if (std::all_of(got.begin(), got.end(), [](double value) { return value == 0; })) return "0";
  if (std::any_of(got.begin(), got.end(), IsNan)) return "NaN";
  const int64_t own = KvNumber(b, KvHead(h)), heads = problem_.batch_size * problem_.kv_num_heads;
  for (int64_t n = 0; n < heads; ++n)  // its own head first
    for (int64_t j = 0; j < problem_.kv_sequence_length; ++j) {
      const int64_t kv = (own + n) % heads;
      bool same = true;
      for (int64_t c = 0; c < problem_.v_head_size && same; ++c)
        same = IsValue(got[static_cast<size_t>(c)], ValueElement(kv, j, c), close, 0);
      if (!same) continue;
      if (kv == own) return fmt::format("V of key {}", j);
      return fmt::format("V of key {} of batch {}, kv head {}", j, kv / problem_.kv_num_heads,
                         kv % problem_.kv_num_heads);
    }
  return fmt::format("no key's V (column 0: {:.9g})", got[0]);
}

}  // namespace attest::judge
