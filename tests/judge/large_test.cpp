// SPDX-License-Identifier: Apache-2.0
//
// Checks at sizes that need minutes and gigabytes, opt-in: tensors of more than 2^31 elements,
// which a backend that indexes in 32 bits must fail, and 65,536 keys. Skipped, with the reason,
// where memory lacks. Prints the seconds that checking took; asserts none.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>

#include "harness/core/memory.h"
#include "harness/core/sweep.h"
#include "harness/judge/cell_data.h"
#include "harness/judge/judge.h"
#include "reference/oracle.h"

namespace attest::judge {
namespace {

using report::Verdict;

std::string BuildDir() { return std::getenv("ATTEST_BUILD_DIR"); }
std::string Backends() { return BuildDir() + "/lib/attest"; }
std::string Stub(const std::string& name) { return BuildDir() + "/tests/stubs/" + name; }

report::CellRecord Check(const std::vector<std::string>& folders,
                         const std::vector<std::string>& patterns, const Axes& axes) {
  Settings settings;
  settings.worker_path = BuildDir() + "/bin/attest-worker";
  settings.plugins = FindPlugins(folders, "");
  settings.patterns = patterns;
  settings.cells = ExpandSweep({axes}, {}, 1);
  settings.measure = false;
  settings.threads = 2;
  settings.timeout_seconds = 600;
  settings.max_cell_seconds = 3600;
  Outcome outcome = RunSweep(settings, {});
  EXPECT_EQ(outcome.cells.size(), 1u);
  const report::CellRecord cell = outcome.cells.at(0);
  std::printf("%s: %.1f s, of %lld rows %lld compared\n", cell.id.c_str(),
              outcome.verification_seconds, static_cast<long long>(cell.rows_total),
              static_cast<long long>(cell.rows_checked));
  for (const report::Result& result : cell.results)
    std::printf("  %s: %s %s\n", report::LabelOf(result).c_str(),
                std::string(report::VerdictName(result.verdict)).c_str(), result.reason.c_str());
  return cell;
}

std::string OutcomeOf(const report::Result& result, const std::string& name) {
  if (result.verification)
    for (const report::Check& check : result.verification->checks)
      if (check.name == name) return check.outcome;
  return "no such check";
}

// K has batch x 64 x 4096 x 128 elements of f16: 64 MiB a batch entry.
Axes Decode(const std::string& batch) {
  return {{"seq", "1"},         {"kv-len", "4096"},   {"heads", "64"},  {"batch", batch},
          {"head-size", "128"}, {"v-head-size", "8"}, {"dtype", "f16"}, {"data", "uniform11"}};
}

void SkipUnlessFits(const Axes& axes) {
  const Cell cell = ExpandSweep({axes}, {}, 1).at(0);
  const double needed = SharedBytes(cell, 1, true) + 2e9;  // and the reference's own
  const double available = AvailableMemoryBytes();
  if (available < needed)
    GTEST_SKIP() << "needs " << needed / 1e9 << " GB of memory, " << available / 1e9
                 << " GB are available";
}

TEST(IndexOverflow, BelowTheLimitNarrowIndicesAreRight) {
  for (const char* name : {"offsets_int32", "offsets_uint32"}) {
    const report::CellRecord cell = Check({Stub(name)}, {}, Decode("2"));
    EXPECT_EQ(cell.results.at(0).verdict, Verdict::kPass) << cell.results.at(0).reason;
  }
}

// 72 batch entries: 2.4e9 elements, those of the last 8 entries lie beyond 2^31 (4 GiB).
TEST(IndexOverflow, BeyondTheLimitOnlyWideIndicesAre) {
  const Axes axes = Decode("72");
  SkipUnlessFits(axes);
  if (IsSkipped()) return;
  const attest_problem problem = ExpandSweep({axes}, {}, 1).at(0).problem;
  ASSERT_GT(
      problem.batch_size * problem.kv_num_heads * problem.kv_sequence_length * problem.head_size,
      int64_t{1} << 31);
  const report::CellRecord cell = Check({Backends(), Stub("offsets_int32"), Stub("offsets_uint32")},
                                        {"naive", "offsets_int32", "offsets_uint32"}, axes);
  const std::map<std::string, Verdict> expected = {{"naive", Verdict::kPass},
                                                   {"offsets_int32", Verdict::kCrash},
                                                   {"offsets_uint32", Verdict::kFail}};
  ASSERT_EQ(cell.results.size(), expected.size());
  for (const report::Result& result : cell.results)
    EXPECT_EQ(result.verdict, expected.at(result.backend))
        << report::LabelOf(result) << ": " << result.reason;
}

// Rows are sampled, probes cover all of them.
TEST(LongSequence, IsChecked) {
  const report::CellRecord cell =
      Check({Backends()}, {"eigen:flash"}, {{"seq", "65536"}, {"heads", "1"}, {"head-size", "64"}});
  const report::Result& result = cell.results.at(0);
  EXPECT_TRUE(report::IsVerified(result.verdict)) << result.reason;
  EXPECT_LT(cell.rows_checked, cell.rows_total);
  EXPECT_EQ(OutcomeOf(result, "needle"), "pass");
  EXPECT_EQ(OutcomeOf(result, "count"), "pass");
}

TEST(LongSequence, ADroppedKeyAmong65536IsFound) {
  for (const char* dtype : {"f32", "f16", "bf16"}) {
    const report::CellRecord cell = Check({BuildDir() + "/tests/mutants/m09_last_key_dropped"}, {},
                                          {{"seq", "32"},
                                           {"kv-len", "65536"},
                                           {"heads", "1"},
                                           {"head-size", "64"},
                                           {"dtype", dtype}});
    EXPECT_EQ(cell.results.at(0).verdict, Verdict::kFail) << dtype;
  }
}

}  // namespace
}  // namespace attest::judge
