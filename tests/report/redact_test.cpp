// SPDX-License-Identifier: Apache-2.0
#include "harness/report/redact.h"

#include <gtest/gtest.h>

#include "harness/report/compare/comparable.h"
#include "harness/report/json.h"
#include "tests/report/fixture.h"

namespace attest::report {
namespace {

TEST(WithoutPaths, RemovesAbsoluteAndHomePaths) {
  EXPECT_EQ(WithoutPaths("/srv/ann/x.so: cannot open"), "[path]: cannot open");
  EXPECT_EQ(WithoutPaths("attest run --backend-path='/srv/a b' --out=~/r.json"),
            "attest run --backend-path='[path] b' --out=[path]");
  EXPECT_EQ(WithoutPaths("-O3 -I/opt/ann/include -ffile-prefix-map=/srv/ann=."),
            "-O3 -I[path] -ffile-prefix-map=[path]");
  EXPECT_EQ(WithoutPaths("~ann/x (/tmp/.X11)"), "[path] ([path])");
}

TEST(WithoutPaths, KeepsWhatIsNone) {
  for (const char* text : {"", "/", "12 GFLOP/s", "sdpa/f32/b1/h12", "5 / 3", "a ~ b", "n/a",
                           "1.5~", "library 3.4 (AVX2/FMA)"})
    EXPECT_EQ(WithoutPaths(text), text);
}

TEST(WithoutWord, RemovesWholeWordsOnly) {
  EXPECT_EQ(WithoutWord("ann@vm: anne, ann.", "ann", "[user]"), "[user]@vm: anne, [user].");
  EXPECT_EQ(WithoutWord("x", "", "[user]"), "x");
}

// The fixture with secrets wherever a report can hold free text.
Report Secret() {
  Report report = MakeReport();
  report.machine.host_name = "lab-7";
  report.policy.argv = {"/srv/ann/attest/bin/attest", "run", "--out", "ann.json"};
  report.policy.executable = "/srv/ann/attest/bin/attest";
  report.policy.backend_paths = {"/srv/ann/my plugins"};
  report.policy.axes = {{"seq", "128"}};
  report.policy.data = "/srv/ann/vectors";
  report.build.flags = "-O3 -I/srv/ann/include";
  report.backends[1].path = "/srv/ann/my plugins/attest_cuda.so";
  report.backends[1].reason = "dlopen /srv/ann/my plugins/attest_cuda.so failed on lab-7 for ann";
  Result& failed = report.cells[0].results[2];
  failed.reason = "cannot open /srv/ann/.cache/x";
  failed.reproduce = "attest verify --backend-path '/srv/ann/my plugins' --seq 3";
  failed.reproduce_original = failed.reproduce;
  failed.implementation = "kernel of ann@lab-7";
  failed.verification->checks[0].detail = "log in ~ann/log";
  return report;
}

TEST(Redact, LeavesNoSecretInTheJson) {
  Report report = Secret();
  const std::string before = WriteJson(report);
  for (const char* secret : {"lab-7", "ann", "/srv"})
    ASSERT_NE(before.find(secret), std::string::npos);
  Redact(report, {"ann"});
  const std::string after = WriteJson(report);
  for (const char* secret : {"lab-7", "ann\"", "ann@", " ann", "/ann", "/srv", "my plugins"})
    EXPECT_EQ(after.find(secret), std::string::npos) << after.substr(after.find(secret) - 60, 120);
}

TEST(Redact, KeepsWhatComparisonsNeed) {
  Report before = Secret(), after = Secret();
  before.policy.data = after.policy.data = "normal";
  Redact(before, {"ann"});
  EXPECT_TRUE(Differences(before, after).empty()) << Differences(before, after).front();
  Redact(after, {"ann"});
  EXPECT_TRUE(Differences(before, after).empty());
  EXPECT_EQ(before.cells[0].id, after.cells[0].id);
  EXPECT_EQ(before.cells[0].results[2].reproduce, "attest verify --backend-path '[path]' --seq 3");
  EXPECT_EQ(ReadJson(WriteJson(after), "r.json").policy.seed, after.policy.seed);
}

// Users and hosts may be called as anything is.
TEST(Redact, RenamesNoResult) {
  Report report = MakeReport();
  report.machine.host_name = "acme";
  Redact(report, {"eigen", "flash", "naive"});
  EXPECT_EQ(report.machine.slug, "acme-vector-avx2-4c");
  EXPECT_EQ(LabelOf(report.cells[0].results[0]), "eigen:flash");
  EXPECT_EQ(report.backends[0].variants[0].contracts[0].dtype, "bf16");
}

}  // namespace
}  // namespace attest::report
