// SPDX-License-Identifier: Apache-2.0
#include "harness/vectors/file_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "harness/core/convert.h"
#include "harness/vectors/scores.h"
#include "harness/vectors/values.h"

#ifdef __FAST_MATH__
#error "the verifier must not be compiled with fast-math: NaN and rounding are its business"
#endif

namespace attest::vectors {
namespace {

int32_t FormatOf(int32_t dtype) {
  switch (dtype) {
    case ATTEST_F16:
      return ATTEST_FORMAT_F16;
    case ATTEST_BF16:
      return ATTEST_FORMAT_BF16;
    case ATTEST_F64:
      return ATTEST_FORMAT_F64;
    default:
      return ATTEST_FORMAT_F32;
  }
}

// The arithmetic of one format throughout.
reference::Rounding Uniform(int32_t dtype, int32_t io_dtype) {
  attest_contract contract{};
  contract.size = sizeof contract;
  contract.accumulate = FormatOf(dtype);
  return reference::RoundingOf(contract, io_dtype);
}

// Worst of elements compared so far, and the first one outside its bound.
class Worst {
 public:
  void Add(const std::string& where, double got, double expected, double bound) {
    const bool ok = got == expected || std::fabs(got - expected) <= bound;  // NaN is not
    if (!ok && wrong_.empty())
      wrong_ = fmt::format("{} is {:.9g} in the file, the reference has {:.9g}, bound {:.3g}",
                           where, got, expected, bound);
    if (ok && got != expected) ratio_ = std::max(ratio_, std::fabs(got - expected) / bound);
    ++count_;
  }
  Finding Take(const std::string& check) const {
    if (!wrong_.empty()) return {check, false, wrong_};
    return {check, count_ > 0,
            fmt::format("file against reference: error/bound {:.3g}, {} elements", ratio_, count_)};
  }

 private:
  std::string wrong_;
  double ratio_ = 0;
  int64_t count_ = 0;
};

Finding CheckY(const Case& vector, const reference::Answer& answer) {
  const attest_problem& p = vector.cell.problem;
  const HeadSizes sizes = SizesOf(vector.y, p.q_num_heads);
  Worst worst;
  size_t at = 0;
  for (int64_t b = 0; b < sizes.batch; ++b)
    for (int64_t h = 0; h < sizes.heads; ++h)
      for (int64_t i = 0; i < sizes.length; ++i)
        for (int64_t c = 0; c < sizes.size; ++c, ++at)
          worst.Add(fmt::format("Y of batch {}, head {}, row {}, column {}", b, h, i, c),
                    LoadElement(vector.y.bytes.data(), vector.y.dtype,
                                HeadIndex(vector.y, sizes, b, h, i, c)),
                    answer.output.at(at), answer.bounds.at(0).output.at(at));
  return worst.Take("vector_y");
}

Finding CheckScores(const Case& vector, const std::vector<double>& expected,
                    const std::vector<double>& bound) {
  Worst worst;
  for (size_t at = 0; at < expected.size(); ++at)
    worst.Add(
        fmt::format("qk_matmul_output (mode {}), element {},", static_cast<int>(vector.stage), at),
        LoadElement(vector.scores->bytes.data(), vector.scores->dtype, static_cast<int64_t>(at)),
        expected[at], bound.at(at));
  Finding finding = worst.Take("vector_scores");
  if (finding.ok && vector.stage != ScoreStage::kWeights)
    finding.detail += "; backends do not give it";
  return finding;
}

// The joined K or V, as the backends get it, against the file's.
Finding CheckPresent(const Case& vector, const Tensor& present, int32_t role,
                     const std::string& check) {
  for (size_t i = 0; i < vector.given.tensors.size(); ++i) {
    attest_tensor dense = vector.given.tensors[i];
    if (dense.role != role) continue;
    const std::vector<std::byte> expected = JoinHeads(dense, {&present});
    const bool same = expected == vector.given.values[i];
    return {check, same,
            same ? "file against past and new joined: equal bit for bit"
                 : fmt::format("'{}' in the file is not past and new joined", present.name)};
  }
  return {check, false, "no such input"};
}

}  // namespace

reference::Rounding FileRounding(const Case& vector) {
  const int32_t io = vector.cell.problem.dtype;
  reference::Rounding rounding = Uniform(io, io);
  if (vector.softmax_dtype != 0)
    if (const auto softmax = Uniform(vector.softmax_dtype, io); softmax.u_acc > rounding.u_acc)
      rounding = softmax;
  // sqrt(scale) is rounded, and so is its product with an operand.
  rounding.u_op = std::max(rounding.u_op, 2 * rounding.u_acc);
  return rounding;
}

std::vector<Finding> CheckFile(const Case& vector, unsigned threads) {
  const auto tensors = InputsWithData(vector.given);
  reference::Options options;
  options.threads = threads;
  options.roundings = {FileRounding(vector)};
  const auto answer = reference::ComputeSdpa(vector.cell.problem, Pointers(tensors), options);
  std::vector<Finding> findings = {CheckY(vector, answer)};
  if (vector.present_key)
    findings.push_back(
        CheckPresent(vector, *vector.present_key, ATTEST_ROLE_K, "vector_present_key"));
  if (vector.present_value)
    findings.push_back(
        CheckPresent(vector, *vector.present_value, ATTEST_ROLE_V, "vector_present_value"));
  if (vector.scores && vector.stage == ScoreStage::kWeights)
    findings.push_back(CheckScores(vector, answer.weights, answer.bounds.at(0).weights));
  if (vector.scores && vector.stage != ScoreStage::kWeights) {
    const Scores scores = ComputeScores(vector, options.roundings[0]);
    findings.push_back(CheckScores(vector, scores.value, scores.bound));
  }
  return findings;
}

}  // namespace attest::vectors
