// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/rules.h"

#include <algorithm>
#include <cmath>

#include "harness/core/convert.h"

#ifdef __FAST_MATH__
#error "the verifier must not be compiled with fast-math: NaN and rounding are its business"
#endif

namespace attest::judge {
namespace {

double Error(const RuleData& data, size_t at) {
  return std::fabs(data.got[at] - data.expected[at]);
}

template <typename Accepts>
bool All(const RuleData& data, Accepts&& accepts) {
  for (size_t at = 0; at < data.got.size(); ++at)
    if (!accepts(at)) return false;
  return true;
}

bool AllClose(const RuleData& data, double relative, double absolute) {
  return All(data, [&](size_t at) {
    return Error(data, at) <= absolute + relative * std::fabs(data.expected[at]);
  });
}

// The greatest difference from the reference; NaN where there is one, as in PyTorch.
double Greatest(const std::vector<double>& values, const std::vector<double>& expected) {
  double greatest = 0;
  for (size_t at = 0; at < values.size(); ++at) {
    const double error = std::fabs(values[at] - expected[at]);
    if (IsNan(error)) return error;
    greatest = std::max(greatest, error);
  }
  return greatest;
}

// eps of the io type: the distance from 1 to the next number.
double Epsilon(int32_t dtype) {
  switch (dtype) {
    case ATTEST_F16:
      return 0x1p-10;
    case ATTEST_BF16:
      return 0x1p-7;
    case ATTEST_F64:
      return 0x1p-52;
  }
  return 0x1p-23;
}

bool Nmse(const RuleData& data) {
  double error = 0, energy = 0;
  for (size_t at = 0; at < data.got.size(); ++at) {
    if (!std::isfinite(data.got[at])) return false;
    error += Error(data, at) * Error(data, at);
    energy += data.got[at] * data.got[at];
  }
  return !(error / energy > 5e-4);  // theirs: 0 of 0, which is NaN, passes
}

bool FlashInferBench(const RuleData& data) {
  return All(data, [&](size_t at) {
    const double relative = Error(data, at) / (std::fabs(data.expected[at]) + 1e-8);
    return std::isfinite(data.got[at]) && (Error(data, at) <= 1e-2 || relative <= 1e-2);
  });
}

bool AllClose3(const RuleData& data) { return AllClose(data, 1e-3, 1e-3); }

bool TorchDefault(const RuleData& data) {
  switch (data.dtype) {
    case ATTEST_F16:
      return AllClose(data, 1e-3, 1e-5);
    case ATTEST_BF16:
      return AllClose(data, 1.6e-2, 1e-5);
    case ATTEST_F64:
      return AllClose(data, 1e-7, 1e-7);
  }
  return AllClose(data, 1.3e-6, 1e-5);
}

bool Cutlass(const RuleData& data) {
  double greatest = 0, sum = 0;
  for (size_t at = 0; at < data.got.size(); ++at) {
    greatest = std::fmax(greatest, Error(data, at));  // theirs, too, drops NaN here
    sum += Error(data, at);
  }
  return greatest < 1e-2 && sum / static_cast<double>(data.got.size()) < 1e-3;
}

bool BenchDnn(const RuleData& data) {
  constexpr double kSmall = 1e-5, kLeastNormal = 0x1p-126;
  const double epsilon = Epsilon(data.dtype);
  const double threshold = 8 * (1 + static_cast<double>(data.keys)) * epsilon;
  return All(data, [&](size_t at) {
    const double size = std::fabs(data.expected[at]), error = Error(data, at);
    const double relative = error / (size > kLeastNormal ? size : 1);
    return (size > kSmall ? relative : error) <= threshold || error <= epsilon * data.absolute[at];
  });
}

bool Cudnn(const RuleData& data) { return AllClose(data, 2e-2, 2e-2); }

bool FlashAttention(const RuleData& data) {
  return Greatest(data.got, data.expected) <= 2 * Greatest(data.plain, data.expected);
}

struct Rule {
  const char* name;
  bool (*accepts)(const RuleData&);
};
constexpr Rule kRules[] = {
    {"nmse_5e-4", Nmse},          {"flashinfer_1e-2", FlashInferBench},
    {"allclose_1e-3", AllClose3}, {"torch_default", TorchDefault},
    {"cutlass", Cutlass},         {"benchdnn", BenchDnn},
    {"cudnn_2e-2", Cudnn},        {"flash_attention_2x", FlashAttention},
};

double Rounded(double value, int32_t dtype) {
  double stored = 0;  // room for the widest type
  StoreElement(&stored, dtype, 0, value);
  return LoadElement(&stored, dtype, 0);
}

}  // namespace

RuleVerdicts ApplyRules(const RuleData& data) {
  RuleVerdicts verdicts;
  for (const Rule& rule : kRules) verdicts.emplace_back(rule.name, rule.accepts(data));
  return verdicts;
}

RuleVerdicts ApplyRules(const CellData& data, int set, const attest_tensor& out) {
  const reference::Answer& answer = data.answers[set];
  const attest_problem& problem = data.cell.problem;
  RuleData values{problem.dtype,          problem.kv_sequence_length, {}, {},
                  data.plain[set].output, data.plain[set].absolute};
  for (const int64_t row : answer.rows) {
    const int64_t i = row % problem.q_sequence_length, head = row / problem.q_sequence_length;
    for (int64_t c = 0; c < problem.v_head_size; ++c) {
      values.expected.push_back(Rounded(answer.output[values.expected.size()], problem.dtype));
      values.got.push_back(
          LoadElement(out.data, out.dtype,
                      OffsetOf(out, head / problem.q_num_heads, head % problem.q_num_heads, i, c)));
    }
  }
  return ApplyRules(values);
}

}  // namespace attest::judge
