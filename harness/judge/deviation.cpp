// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/deviation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "harness/core/convert.h"

#ifdef __FAST_MATH__
#error "the verifier must not be compiled with fast-math: NaN and rounding are its business"
#endif

namespace attest::judge {
namespace {

constexpr size_t kMostKept = 1 << 22;  // elements of a wrong output
constexpr size_t kMostNamed = 4;       // results that a sentence describes

std::string Ordinal(int64_t n) {
  const bool teen = n / 10 % 10 == 1;
  const char* ending = teen          ? "th"
                       : n % 10 == 1 ? "st"
                       : n % 10 == 2 ? "nd"
                       : n % 10 == 3 ? "rd"
                                     : "th";
  return fmt::format("{}{}", n, ending);
}

// The distance p such that exactly every pth checked index from the first wrong one on is wrong; 0
// where there is none.
int64_t PeriodOf(const std::vector<int64_t>& wrong, const std::vector<int64_t>& checked) {
  if (wrong.size() < 3) return 0;
  const int64_t period = wrong[1] - wrong[0];
  size_t next = 0;
  for (const int64_t index : checked) {
    if (index < wrong[0] || (index - wrong[0]) % period != 0) continue;
    if (next == wrong.size() || wrong[next++] != index) return 0;
  }
  return next == wrong.size() ? period : 0;
}

// One axis of OUT: which indices were compared and which of them are wrong somewhere.
struct Axis {
  const char *noun, *nouns;
  std::vector<uint8_t> seen;  // by index: 0 not compared, 1 right, 2 wrong

  Axis(const char* one, const char* many, int64_t size)
      : noun(one), nouns(many), seen(static_cast<size_t>(size)) {}
  void Mark(int64_t index, bool wrong) {
    uint8_t& mark = seen[static_cast<size_t>(index)];
    mark = std::max<uint8_t>(mark, wrong ? 2 : 1);
  }
  std::vector<int64_t> Indices(uint8_t least) const {
    std::vector<int64_t> indices;
    for (size_t i = 0; i < seen.size(); ++i)
      if (seen[i] >= least) indices.push_back(static_cast<int64_t>(i));
    return indices;
  }
  std::string Describe() const { return DescribeIndices(noun, nouns, Indices(2), Indices(1)); }
};

struct Element {
  std::array<int64_t, 4> position;  // batch entry, head, row, column
  double got;
  bool right;
};

template <typename Visit>
void ForElements(const CellData& data, int set, size_t rounding, const attest_tensor& out,
                 Visit&& visit) {
  const attest_problem& p = data.cell.problem;
  const reference::Answer& answer = data.answers[set];
  const std::vector<double>& bound = answer.bounds.at(rounding).output;
  for (size_t r = 0; r < answer.rows.size(); ++r) {
    const int64_t i = answer.rows[r] % p.q_sequence_length;
    const int64_t group = answer.rows[r] / p.q_sequence_length;
    const int64_t b = group / p.q_num_heads, h = group % p.q_num_heads;
    for (int64_t c = 0; c < p.v_head_size; ++c) {
      const size_t at = r * static_cast<size_t>(p.v_head_size) + static_cast<size_t>(c);
      const double got = LoadElement(out.data, out.dtype, OffsetOf(out, b, h, i, c));
      visit(Element{{b, h, i, c}, got, std::fabs(got - answer.output[at]) <= bound[at]});
    }
  }
}

bool Failed(const report::Result& result, const std::string& name) {
  return std::any_of(
      result.verification->checks.begin(), result.verification->checks.end(),
      [&](const report::Check& check) { return check.name == name && check.outcome == "fail"; });
}

// Its values are wrong: not that it crashed, say, or ran something else.
bool Deviates(const report::Result& result) {
  if (result.verdict != report::Verdict::kFail || !result.verification) return false;
  return !result.verification->deviation.empty() || Failed(result, "bound") ||
         Failed(result, "needle") || Failed(result, "count");
}

std::string Where(const report::Result& result) {
  const std::string& where = result.verification->deviation;
  return where.empty() ? "" : " " + where;
}

}  // namespace

std::string DescribeIndices(const std::string& noun, const std::string& nouns,
                            const std::vector<int64_t>& wrong,
                            const std::vector<int64_t>& checked) {
  if (wrong.empty() || wrong.size() == checked.size()) return "";
  if (wrong.size() == 1) return fmt::format("in {} {}", noun, wrong[0]);
  const auto first = std::find(checked.begin(), checked.end(), wrong.front());
  const bool together = static_cast<size_t>(checked.end() - first) >= wrong.size() &&
                        std::equal(wrong.begin(), wrong.end(), first);
  if (together && wrong.back() == checked.back())
    return fmt::format("from {} {} on", noun, wrong.front());
  if (together && first == checked.begin()) return fmt::format("up to {} {}", noun, wrong.back());
  if (together) return fmt::format("in {} {} to {}", nouns, wrong.front(), wrong.back());
  if (const int64_t period = PeriodOf(wrong, checked); period > 1)
    return fmt::format("in every {} {} from {} {} on", Ordinal(period), noun, noun, wrong[0]);
  return fmt::format("in {} of {} {}, the first is {} {}", wrong.size(), checked.size(), nouns,
                     noun, wrong[0]);
}

std::string DescribeDeviation(const CellData& data, int set, size_t rounding,
                              const attest_tensor& out) {
  const attest_problem& p = data.cell.problem;
  Axis axes[] = {{"batch entry", "batch entries", p.batch_size},
                 {"head", "heads", p.q_num_heads},
                 {"row", "rows", p.q_sequence_length},
                 {"column", "columns", p.v_head_size}};
  bool any = false;
  ForElements(data, set, rounding, out, [&](const Element& element) {
    any |= !element.right;
    for (size_t axis = 0; axis < 4; ++axis) axes[axis].Mark(element.position[axis], !element.right);
  });
  std::string text;
  for (const Axis& axis : axes)
    if (const std::string part = axis.Describe(); !part.empty())
      text += text.empty() ? part : ", " + part.substr(part.starts_with("in ") ? 3 : 0);
  return text.empty() && any ? "everywhere" : text;
}

bool MostRowsDeviate(const CellData& data, int set, size_t rounding, const attest_tensor& out) {
  std::set<std::array<int64_t, 3>> wrong;
  ForElements(data, set, rounding, out, [&](const Element& element) {
    const auto& [b, h, i, c] = element.position;
    if (!element.right) wrong.insert({b, h, i});
  });
  return 2 * wrong.size() > data.answers[set].rows.size();
}

std::vector<double> ComparedValues(const CellData& data, int set, const attest_tensor& out) {
  std::vector<double> values;
  if (data.answers[set].output.size() > kMostKept) return values;
  ForElements(data, set, 0, out, [&](const Element& element) { values.push_back(element.got); });
  return values;
}

bool DeviateAlike(const CellData& data, const std::vector<Entry>& entries) {
  const Entry* first = nullptr;
  size_t count = 0;
  for (const Entry& entry : entries) {
    if (!Deviates(entry.result)) continue;
    if (entry.deviating.empty()) return false;
    if (first == nullptr) first = &entry;
    ++count;
    const std::vector<double>& own = data.answers[0].bounds.at(entry.rounding).output;
    const std::vector<double>& other = data.answers[0].bounds.at(first->rounding).output;
    for (size_t at = 0; at < own.size(); ++at) {
      const double apart = std::fabs(entry.deviating[at] - first->deviating[at]);
      if (!(apart <= own[at] + other[at])) return false;
    }
  }
  return count > 1;
}

std::string DescribeAgreement(const std::vector<report::Result>& results, bool alike) {
  size_t agree = 0;
  std::vector<const report::Result*> deviating;
  for (const report::Result& result : results) {
    agree += report::IsVerified(result.verdict) ? 1 : 0;
    if (Deviates(result)) deviating.push_back(&result);
  }
  if (deviating.empty()) return "";
  std::string text = agree == 0   ? "none agrees with the reference"
                     : agree == 1 ? "1 agrees with the reference"
                                  : fmt::format("{} agree with the reference", agree);
  if (deviating.size() == 1)
    return text +
           fmt::format(", 1 ({}) deviates{}", report::LabelOf(*deviating[0]), Where(*deviating[0]));
  text += fmt::format(", {} deviate{}:", deviating.size(), alike ? " alike" : "");
  for (size_t i = 0; i < std::min(deviating.size(), kMostNamed); ++i)
    text += fmt::format("{} ({}){}", i == 0 ? "" : ";", report::LabelOf(*deviating[i]),
                        Where(*deviating[i]));
  if (deviating.size() > kMostNamed)
    text += fmt::format("; and {} more", deviating.size() - kMostNamed);
  return text;
}

}  // namespace attest::judge
