// SPDX-License-Identifier: Apache-2.0
//
// The exact probes against attention that is right (never rejected) and attention with one planted
// fault (found by the probe that verification.md names for it).
#include "harness/judge/probes.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>

#include "harness/core/convert.h"
#include "harness/core/inputs.h"
#include "harness/core/sweep.h"
#include "harness/judge/judge.h"
#include "harness/judge/visibility.h"
#include "planted_attention.h"

namespace attest::judge {
namespace {

struct Shape {
  const char* name;
  int64_t lq, lk, d;
  int32_t dtype = ATTEST_F32;
  bool causal = false;
  int64_t offset = 0, window = -1;
  int32_t mask = ATTEST_MASK_NONE;
  bool lengths = false;
  int64_t batch = 2, heads = 4, kv_heads = 2;
  MaskShape mask_shape = MaskShape::kShared;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.name; }

attest_problem ProblemOf(const Shape& shape) {
  attest_problem p = DefaultProblem();
  p.dtype = shape.dtype;
  p.batch_size = shape.batch;
  p.q_num_heads = shape.heads;
  p.kv_num_heads = shape.kv_heads;
  p.q_sequence_length = shape.lq;
  p.kv_sequence_length = shape.lk;
  p.head_size = shape.d;
  p.v_head_size = shape.d;
  p.is_causal = shape.causal;
  p.causal_offset = shape.offset;
  p.left_window_size = p.right_window_size = shape.window;
  p.attn_mask = shape.mask;
  p.has_kv_lengths = shape.lengths;
  ResolveProblem(p);
  return p;
}

reference::Rounding RoundingFor(int32_t dtype, Algorithm algorithm) {
  attest_contract contract{};
  contract.size = sizeof contract;
  contract.accumulate = ATTEST_FORMAT_F32;
  if (algorithm == Algorithm::kLowProbabilities) contract.probabilities = ATTEST_FORMAT_BF16;
  return reference::RoundingOf(contract, dtype);
}

// One problem with its tensors' memory and probes.
class Bench {
 public:
  Bench(const attest_problem& problem, Algorithm algorithm, unsigned threads = 2,
        MaskShape mask_shape = MaskShape::kShared)
      : problem_(problem), algorithm_(algorithm), rounding_(RoundingFor(problem.dtype, algorithm)) {
    tensors_ = DescribeTensors(problem_, Layout::kBnsh, mask_shape);
    for (attest_tensor& tensor : tensors_) {
      memory_.emplace_back(tensor.extent_bytes, std::byte{0});
      tensor.data = memory_.back().data();
      if (!IsOutput(tensor.role)) FillInput(problem_, tensor, "normal", 5, threads);
    }
    Remake(threads);
  }
  // After a change of MASK or KV_LENGTHS.
  void Remake(unsigned threads = 2) {
    probes_ = MakeProbes(problem_, Pointers(tensors_), {threads, 3, {rounding_}});
  }

  const Probe& Of(const std::string& name) const {
    for (const auto& probe : probes_)
      if (probe->name() == name) return *probe;
    throw std::invalid_argument("no probe " + name);
  }
  attest_tensor& Tensor(int32_t role) {
    for (attest_tensor& tensor : tensors_)
      if (tensor.role == role) return tensor;
    throw std::invalid_argument("no such tensor");
  }
  // "" = exact in every pass.
  std::string Run(const std::string& name, Fault fault) {
    const Probe& probe = Of(name);
    for (int pass = 0; pass < probe.passes(); ++pass) {
      for (attest_tensor& tensor : tensors_)
        if (tensor.role == ATTEST_ROLE_Q || tensor.role == ATTEST_ROLE_K ||
            tensor.role == ATTEST_ROLE_V)
          probe.Fill(pass, tensor);
      Attend(problem_, tensors_, algorithm_, fault);
      if (std::string wrong = probe.Check(pass, Tensor(ATTEST_ROLE_OUT), rounding_); !wrong.empty())
        return wrong;
    }
    return "";
  }
  const reference::Rounding& rounding() const { return rounding_; }

 private:
  attest_problem problem_;
  Algorithm algorithm_;
  reference::Rounding rounding_;
  std::vector<attest_tensor> tensors_;
  std::vector<std::vector<std::byte>> memory_;
  std::vector<std::unique_ptr<Probe>> probes_;
};

class HonestAttention : public testing::TestWithParam<Shape> {};

TEST_P(HonestAttention, IsNeverRejected) {
  for (Algorithm algorithm :
       {Algorithm::kTwoPass, Algorithm::kOnline16, Algorithm::kReversedOnline16, Algorithm::kExp2,
        Algorithm::kNormalisedFirst, Algorithm::kLowProbabilities}) {
    if (GetParam().lk > 1000 && algorithm != Algorithm::kOnline16 && algorithm != Algorithm::kExp2)
      continue;
    Bench bench(ProblemOf(GetParam()), algorithm, 2, GetParam().mask_shape);
    for (const char* name : {"needle", "count"}) {
      const Probe& probe = bench.Of(name);
      const bool grid_is_full = GetParam().d == 3 && GetParam().lk > 1000;
      const bool applies =
          std::string(name) == "needle" ? !grid_is_full : GetParam().mask != ATTEST_MASK_ADDITIVE;
      EXPECT_EQ(probe.passes() > 0, applies) << name << ": " << probe.reason();
      EXPECT_TRUE(applies || !probe.reason().empty());
      EXPECT_EQ(probe.Exempts(bench.rounding()), "") << name;
      EXPECT_EQ(bench.Run(name, Fault::kNone), "")
          << name << ", algorithm " << static_cast<int>(algorithm);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, HonestAttention,
    testing::Values(Shape{"one_key", 1, 1, 64}, Shape{"decode", 1, 129, 64},
                    Shape{"small", 17, 17, 3}, Shape{"small_bf16", 17, 17, 3, ATTEST_BF16},
                    Shape{"one_dimension", 3, 1, 1}, Shape{"d40", 129, 129, 40},
                    Shape{"d64_causal", 129, 129, 64, ATTEST_F32, true},
                    Shape{"d64_f16", 197, 197, 64, ATTEST_F16, true},
                    Shape{"d128_bf16", 197, 197, 128, ATTEST_BF16, true},
                    Shape{"past", 17, 129, 40, ATTEST_BF16, true, 112},
                    Shape{"window", 129, 129, 40, ATTEST_F32, true, 0, 20},
                    Shape{"dead_rows", 40, 17, 40, ATTEST_F16, true, -9},
                    Shape{"boolean", 67, 129, 64, ATTEST_F32, false, 0, -1, ATTEST_MASK_BOOLEAN},
                    Shape{"boolean_small", 33, 40, 3, ATTEST_F16, false, 0, -1,
                          ATTEST_MASK_BOOLEAN},
                    Shape{"additive", 67, 129, 64, ATTEST_BF16, true, 0, -1, ATTEST_MASK_ADDITIVE},
                    Shape{"boolean_heads", 33, 65, 64, ATTEST_F32, false, 0, -1,
                          ATTEST_MASK_BOOLEAN, false, 2, 4, 2, MaskShape::kHead},
                    Shape{"boolean_batches", 33, 65, 40, ATTEST_F16, true, 32, -1,
                          ATTEST_MASK_BOOLEAN, false, 2, 4, 2, MaskShape::kBatch},
                    Shape{"boolean_full", 33, 65, 3, ATTEST_F32, false, 0, -1, ATTEST_MASK_BOOLEAN,
                          false, 2, 4, 2, MaskShape::kFull},
                    Shape{"boolean_keys", 33, 65, 64, ATTEST_BF16, false, 0, -1,
                          ATTEST_MASK_BOOLEAN, false, 2, 4, 2, MaskShape::kKeys},
                    Shape{"additive_full", 33, 65, 64, ATTEST_F32, false, 0, -1,
                          ATTEST_MASK_ADDITIVE, false, 2, 4, 2, MaskShape::kFull},
                    Shape{"lengths", 5, 197, 64, ATTEST_F32, true, 0, -1, ATTEST_MASK_NONE, true},
                    Shape{"long_f32", 65, 4099, 64, ATTEST_F32, true, 4034, -1, ATTEST_MASK_NONE,
                          false, 1, 1, 1},
                    Shape{"long_bf16", 17, 4099, 128, ATTEST_BF16, false, 0, -1, ATTEST_MASK_NONE,
                          false, 1, 2, 1},
                    Shape{"long_f16", 17, 4099, 40, ATTEST_F16, true, 4082, -1, ATTEST_MASK_NONE,
                          false, 1, 2, 2},
                    Shape{"long_d3", 17, 4099, 3, ATTEST_F32, true, 4082, -1, ATTEST_MASK_NONE,
                          false, 1, 2, 2}),
    [](const auto& info) { return std::string(info.param.name); });

struct Plant {
  const char* name;
  Fault fault;
  const char* probes;  // "N", "C" or "NC": those that must see it
  Algorithm algorithm = Algorithm::kTwoPass;
  enum Needs {
    kAny,
    kGroups,
    kCausal,
    kOffset,
    kWindow,
    kMask,
    kLengths,
    kDead,
    kLong
  } needs = kAny;
};

std::ostream& operator<<(std::ostream& out, const Plant& plant) { return out << plant.name; }

class PlantedFault : public testing::TestWithParam<Plant> {};

Shape ShapeFor(const Plant& plant, int64_t length, int64_t d, int32_t dtype) {
  Shape shape{"", length, length, d, dtype};
  shape.heads = 6;  // h mod 2 and h / 3 differ
  if (plant.needs == Plant::kCausal) shape.causal = true;
  if (plant.needs == Plant::kOffset) shape.causal = true, shape.lq = 9, shape.offset = length - 9;
  if (plant.needs == Plant::kWindow) shape.window = 5;
  if (plant.needs == Plant::kMask) shape.mask = ATTEST_MASK_BOOLEAN;
  if (plant.needs == Plant::kLengths) shape.lengths = true;
  if (plant.needs == Plant::kDead) shape.causal = true, shape.offset = -6;
  if (length > 1000) {
    shape.batch = 1, shape.heads = 1, shape.kv_heads = 1, shape.lq = 17;
    if (plant.needs == Plant::kCausal) shape.offset = length - 17;
  }
  return shape;
}

TEST_P(PlantedFault, IsFoundByItsProbes) {
  const Plant& plant = GetParam();
  struct Size {
    int64_t length, d;
    int32_t dtype;
  };
  for (const Size& size :
       {Size{17, 3, ATTEST_F32}, Size{129, 3, ATTEST_BF16}, Size{129, 40, ATTEST_F16},
        Size{129, 64, ATTEST_F32}, Size{197, 64, ATTEST_BF16}, Size{197, 128, ATTEST_F16},
        Size{4099, 64, ATTEST_F32}}) {
    if (plant.needs == Plant::kLong && size.length < 197) continue;
    if (size.length > 1000 && (plant.needs == Plant::kGroups || plant.needs == Plant::kMask ||
                               plant.needs == Plant::kLengths))
      continue;
    Bench bench(ProblemOf(ShapeFor(plant, size.length, size.d, size.dtype)), plant.algorithm);
    for (char probe : std::string(plant.probes)) {
      const std::string found = bench.Run(probe == 'N' ? "needle" : "count", plant.fault);
      EXPECT_NE(found, "") << probe << " at L = " << size.length << ", d = " << size.d << ", "
                           << DtypeName(size.dtype);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Faults, PlantedFault,
    testing::Values(
        Plant{"last_key_dropped", Fault::kLastKeyDropped, "NC"},
        Plant{"causal_strict", Fault::kCausalStrict, "NC", Algorithm::kTwoPass, Plant::kCausal},
        Plant{"causal_loose", Fault::kCausalLoose, "NC", Algorithm::kTwoPass, Plant::kCausal},
        Plant{"top_left", Fault::kTopLeft, "NC", Algorithm::kTwoPass, Plant::kOffset},
        Plant{"window_loose", Fault::kWindowLoose, "NC", Algorithm::kTwoPass, Plant::kWindow},
        Plant{"tile_twice", Fault::kTileTwice, "C"}, Plant{"padded_tail", Fault::kPaddedTail, "C"},
        Plant{"index_wraps", Fault::kIndexWraps, "NC", Algorithm::kTwoPass, Plant::kLong},
        Plant{"gqa_modulo", Fault::kGqaModulo, "NC", Algorithm::kTwoPass, Plant::kGroups},
        Plant{"heads_permuted", Fault::kHeadsPermuted, "NC", Algorithm::kTwoPass, Plant::kGroups},
        Plant{"batch_zero", Fault::kBatchZero, "NC", Algorithm::kTwoPass, Plant::kGroups},
        Plant{"stale_maximum", Fault::kStaleMaximum, "N"},
        Plant{"no_maximum", Fault::kNoMaximum, "N"},
        Plant{"not_rescaled", Fault::kNotRescaled, "N", Algorithm::kOnline16},
        Plant{"last_tile_sum", Fault::kLastTileSum, "C"},
        Plant{"tiles_averaged", Fault::kTilesAveraged, "NC", Algorithm::kOnline16},
        Plant{"mask_inverted", Fault::kMaskInverted, "NC", Algorithm::kTwoPass, Plant::kMask},
        Plant{"lengths_ignored", Fault::kLengthsIgnored, "NC", Algorithm::kTwoPass,
              Plant::kLengths},
        Plant{"dead_row_mean", Fault::kDeadRowMean, "NC", Algorithm::kTwoPass, Plant::kDead},
        Plant{"row_copied", Fault::kRowCopied, "NC", Algorithm::kTwoPass, Plant::kCausal}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Needle, NamesTheKeyThatAnswered) {
  Shape shape{"", 129, 129, 64};
  shape.causal = true;
  Bench bench(ProblemOf(shape), Algorithm::kTwoPass);
  const std::string found = bench.Run("needle", Fault::kCausalLoose);
  EXPECT_NE(
      found.find(
          "batch 0, head 0, row 0: expected V of key 0 (keys 0 to 0 are in range), got V of key 1"),
      std::string::npos)
      << found;
}

TEST(Needle, ADroppedDimensionIsSeenWhereThereAreFew) {
  Bench bench(ProblemOf({"", 17, 17, 3}), Algorithm::kTwoPass);
  EXPECT_NE(bench.Run("needle", Fault::kLastDimensionDropped), "");
}

TEST(Count, SaysHowManyKeysWereSummedUp) {
  Bench bench(ProblemOf({"", 17, 17, 64}), Algorithm::kTwoPass);
  const std::string found = bench.Run("count", Fault::kPaddedTail);
  EXPECT_NE(found.find("as if 64.00 keys"), std::string::npos) << found;
}

TEST(Probes, NanIsWrong) {
  Bench bench(ProblemOf({"", 17, 17, 64}), Algorithm::kTwoPass);
  for (const char* name : {"needle", "count"}) {
    ASSERT_EQ(bench.Run(name, Fault::kNone), "");
    attest_tensor& out = bench.Tensor(ATTEST_ROLE_OUT);
    const int pass = bench.Of(name).passes() - 1;
    static_cast<float*>(out.data)[100] = NAN;
    EXPECT_NE(bench.Of(name).Check(pass, out, bench.rounding()), "") << name;
  }
}

TEST(Probes, SoftcapAndCoarseContractsAreNamedAsTheReason) {
  attest_problem problem = ProblemOf({"", 17, 17, 64});
  problem.softcap = 30;
  Bench bench(problem, Algorithm::kTwoPass);
  EXPECT_EQ(bench.Of("needle").passes(), 0);
  EXPECT_NE(bench.Of("needle").reason().find("softcap"), std::string::npos);
  EXPECT_GT(bench.Of("count").passes(), 0);
  reference::Rounding coarse = bench.rounding();
  coarse.u_acc = 0x1p-11;
  EXPECT_NE(bench.Of("count").Exempts(coarse), "");
}

TEST(Visible, FollowsTheInterfacesRule) {
  Shape shape{"", 5, 9, 4};
  shape.causal = true, shape.offset = 4, shape.window = 2;
  const attest_problem problem = ProblemOf(shape);
  const Visibility visibility(problem, {});
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(visibility.RangeOf(0, i).first, i + 2);
    EXPECT_EQ(visibility.RangeOf(0, i).last, i + 5);
  }
}

TEST(Visible, MinusInfinityInAnAdditiveMaskHidesTheKey) {
  Shape shape{"", 17, 40, 64};
  shape.mask = ATTEST_MASK_ADDITIVE;
  Bench bench(ProblemOf(shape), Algorithm::kOnline16);
  attest_tensor& mask = bench.Tensor(ATTEST_ROLE_MASK);
  for (int64_t at = 0; at < 17 * 40; ++at)
    static_cast<float*>(mask.data)[at] =
        at / 40 == 3 || HashBits(1, 1, static_cast<uint64_t>(at)) % 3 == 0 ? -INFINITY : 0;
  bench.Remake();
  for (const char* name : {"needle", "count"}) {
    EXPECT_GT(bench.Of(name).passes(), 0) << bench.Of(name).reason();
    EXPECT_EQ(bench.Run(name, Fault::kNone), "");
  }
}

// 4.3e9 pairs of row and key are compared.
TEST(Needle, AtALengthOf65536IsMadeInSeconds) {
  Shape shape{"", 65536, 65536, 64};
  shape.batch = shape.heads = shape.kv_heads = 1;
  const auto start = std::chrono::steady_clock::now();
  Bench bench(ProblemOf(shape), Algorithm::kTwoPass);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_GT(bench.Of("needle").passes(), 0);
  RecordProperty("seconds", std::to_string(seconds));
  EXPECT_EQ(bench.Of("needle").reason(), "");  // every row
  EXPECT_LT(seconds, 100);
}

TEST(Probes, AreInEveryVerdictOfARun) {
  Settings settings;
  const std::string build = std::getenv("ATTEST_BUILD_DIR");
  settings.worker_path = build + "/bin/attest-worker";
  settings.plugins = FindPlugins({build + "/tests/stubs/correct"}, "");
  settings.cells = ExpandSweep({{{"seq", "17"}, {"heads", "2"}, {"head-size", "8"}}}, {}, 3);
  settings.measure = false;
  const Outcome outcome = RunSweep(settings, {});
  const report::Result& result = outcome.cells.at(0).results.at(0);
  EXPECT_EQ(result.verdict, report::Verdict::kPass) << result.reason;
  int passed = 0;
  for (const report::Check& check : result.verification->checks)
    passed += (check.name == "needle" || check.name == "count") && check.outcome == "pass";
  EXPECT_EQ(passed, 2);
}

}  // namespace
}  // namespace attest::judge
