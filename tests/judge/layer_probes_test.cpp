// SPDX-License-Identifier: Apache-2.0
//
// Probes through the layer: what the reference makes of their inputs is what they expect, a layer
// taken apart wrongly is not, and where none fits, the reason is there.
#include "harness/judge/layer_probes.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <utility>

#include "harness/core/convert.h"
#include "harness/core/problem.h"
#include "harness/core/tensors.h"

namespace attest::judge {
namespace {

attest_problem Layer(const std::function<void(attest_problem&)>& change = {}) {
  attest_problem p = DefaultProblem();
  p.op = ATTEST_OP_SELF_ATTENTION;
  p.batch_size = 2;
  p.q_num_heads = 4;
  p.q_sequence_length = 19;
  p.head_size = 40;
  p.hidden_size = 160;
  p.kv_num_heads = p.kv_sequence_length = p.v_head_size = 0;
  if (change) change(p);
  ResolveProblem(p);
  return p;
}

reference::Rounding F32() {
  attest_contract contract{};
  contract.size = sizeof contract;
  contract.accumulate = ATTEST_FORMAT_F32;
  return reference::RoundingOf(contract, ATTEST_F32, ATTEST_OP_SELF_ATTENTION);
}

using Tensors = std::vector<attest_tensor>;

// What the probe says of the reference's answer to its inputs, after `spoil` had them.
std::string Verdict(const attest_problem& problem, const Probe& probe, int pass,
                    const std::function<void(Tensors&)>& spoil = {}) {
  Tensors tensors = DescribeTensors(problem, Layout::kBnsh);
  std::deque<std::vector<float>> memory;
  for (attest_tensor& tensor : tensors) {
    tensor.data = memory.emplace_back(static_cast<size_t>(ExtentElements(tensor))).data();
    if (probe.Fills(tensor.role)) probe.Fill(pass, tensor);
  }
  attest_tensor out = tensors.back();
  if (spoil) spoil(tensors);
  const auto answer = reference::ComputeSelfAttention(problem, Pointers(tensors), {});
  const attest_tensor rows = OutputRows(problem, out);
  for (size_t n = 0; n < answer.output.size(); ++n) {
    const int64_t columns = rows.shape[3], row = static_cast<int64_t>(n) / columns;
    const int64_t i = row % rows.shape[2], group = row / rows.shape[2];
    StoreElement(out.data, out.dtype,
                 OffsetOf(rows, group / rows.shape[1], group % rows.shape[1], i,
                          static_cast<int64_t>(n) % columns),
                 answer.output[n]);
  }
  return probe.Check(pass, out, F32());
}

std::vector<std::unique_ptr<Probe>> ProbesOf(const attest_problem& problem) {
  return MakeLayerProbes(problem, {}, {1, 1, {F32()}});
}

TEST(LayerProbes, ExpectWhatTheReferenceGives) {
  const std::function<void(attest_problem&)> changes[] = {
      [](attest_problem&) {},
      [](attest_problem& p) { p.has_output_projection = p.has_bias = 1; },
      [](attest_problem& p) { p.is_causal = 1; },
      [](attest_problem& p) { p.kv_num_heads = 2, p.v_head_size = 24; },
      [](attest_problem& p) { p.is_cross = 1, p.kv_sequence_length = 33; },
      [](attest_problem& p) { p.is_cross = 1, p.structure = ATTEST_STRUCTURE_TIED_QK; },
      [](attest_problem& p) { p.has_output_projection = 1, p.hidden_size = 200; },
      [](attest_problem& p) { p.q_num_heads = 1, p.head_size = 3, p.hidden_size = 30; }};
  for (const auto& change : changes) {
    const attest_problem problem = Layer(change);
    for (const auto& probe : ProbesOf(problem)) {
      EXPECT_GT(probe->passes(), 0) << probe->name() << ": " << probe->reason();
      for (int pass = 0; pass < probe->passes(); ++pass)
        EXPECT_EQ(Verdict(problem, *probe, pass), "") << probe->name();
    }
  }
}

attest_tensor& Of(Tensors& tensors, int32_t role) {
  for (attest_tensor& tensor : tensors)
    if (tensor.role == role) return tensor;
  throw std::invalid_argument("no such role");
}

TEST(LayerProbes, SeeALayerTakenApartWrongly) {
  const attest_problem problem = Layer([](attest_problem& p) { p.has_output_projection = 1; });
  const auto exchange = [](int32_t a, int32_t b) {
    return [a, b](Tensors& tensors) { std::swap(Of(tensors, a).data, Of(tensors, b).data); };
  };
  const auto transpose = [](int32_t role) {
    return [role](Tensors& tensors) {
      attest_tensor& w = Of(tensors, role);
      std::swap(w.strides[0], w.strides[1]);
    };
  };
  const auto probes = ProbesOf(problem);
  const Probe &needle = *probes[0], &count = *probes[1];
  EXPECT_NE(Verdict(problem, needle, 0, exchange(ATTEST_ROLE_WK, ATTEST_ROLE_WV)), "");
  EXPECT_NE(Verdict(problem, needle, 0, exchange(ATTEST_ROLE_WQ, ATTEST_ROLE_WK)), "");
  EXPECT_NE(Verdict(problem, needle, 0, transpose(ATTEST_ROLE_WQ)), "");
  EXPECT_NE(Verdict(problem, needle, 0, transpose(ATTEST_ROLE_WO)), "");
  EXPECT_NE(Verdict(problem, count, 0, transpose(ATTEST_ROLE_WV)), "");
  EXPECT_NE(Verdict(problem, count, 0, transpose(ATTEST_ROLE_WO)), "");
}

TEST(LayerProbes, SayWhyTheyDoNotApply) {
  const struct {
    std::function<void(attest_problem&)> change;
    const char *needle, *count;  // "" = applies
  } cases[] = {
      {[](attest_problem& p) { p.structure = ATTEST_STRUCTURE_PARAMETER_FREE; }, "no weights",
       "no weights"},
      {[](attest_problem& p) { p.structure = ATTEST_STRUCTURE_MEAN_POOL; }, "no scores", ""},
      {[](attest_problem& p) { p.structure = ATTEST_STRUCTURE_TIED_QK; }, "its own key", ""},
      {[](attest_problem& p) { p.hidden_size = 100; }, "", "no column"},
      {[](attest_problem& p) { p.hidden_size = 100, p.has_output_projection = 1; }, "not all",
       "not all"}};
  for (const auto& some : cases) {
    const auto probes = ProbesOf(Layer(some.change));
    const char* expected[] = {some.needle, some.count};
    for (size_t n = 0; n < 2; ++n) {
      EXPECT_EQ(probes[n]->passes() > 0, *expected[n] == '\0') << probes[n]->reason();
      EXPECT_NE(probes[n]->reason().find(expected[n]), std::string::npos) << probes[n]->reason();
    }
  }
}

}  // namespace
}  // namespace attest::judge
