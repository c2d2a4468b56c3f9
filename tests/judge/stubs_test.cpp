// SPDX-License-Identifier: Apache-2.0
//
// Every plugin that is broken on purpose ends in its exact verdict and reason, while the sweep goes
// on: a correct plugin beside it passes in the same run.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "harness/core/sweep.h"
#include "harness/judge/judge.h"

namespace attest::judge {
namespace {

using report::BackendState;
using report::Verdict;

std::string BuildDir() { return std::getenv("ATTEST_BUILD_DIR"); }
std::string Stub(const std::string& name) { return BuildDir() + "/tests/stubs/" + name; }

Settings SettingsFor(const std::vector<std::string>& folders) {
  Settings settings;
  settings.worker_path = BuildDir() + "/bin/attest-worker";
  settings.plugins = FindPlugins(folders, "");
  settings.cells = ExpandSweep({{{"seq", "17"}, {"heads", "2"}, {"head-size", "8"}},
                                {{"seq", "40"}, {"heads", "2"}, {"head-size", "16"}}},
                               {}, 3);
  settings.rounds = 4;
  settings.min_time_seconds = 0.001;
  settings.ceiling_bytes = 1 << 20;
  settings.timeout_seconds = 2;
  return settings;
}

struct Expectation {
  const char* stub;
  Verdict verdict;
  const char* reason;  // a part of it
};

std::ostream& operator<<(std::ostream& out, const Expectation& expected) {
  return out << expected.stub;
}

class RunningStub : public testing::TestWithParam<Expectation> {};

TEST_P(RunningStub, EndsInItsVerdictWhileTheSweepGoesOn) {
  const Expectation& expected = GetParam();
  const Settings settings = SettingsFor({Stub("correct"), Stub(expected.stub)});
  const Outcome outcome = RunSweep(settings, {});
  ASSERT_EQ(outcome.cells.size(), 2u);
  for (const report::CellRecord& cell : outcome.cells) {
    ASSERT_EQ(cell.results.size(), 2u);
    for (const report::Result& result : cell.results) {
      if (result.backend == "correct") {
        EXPECT_EQ(result.verdict, Verdict::kPass) << result.reason;
        ASSERT_TRUE(result.timing);
        EXPECT_EQ(result.timing->samples_seconds.size(), 4u);
        continue;
      }
      EXPECT_EQ(result.verdict, expected.verdict)
          << report::VerdictName(result.verdict) << ": " << result.reason;
      EXPECT_NE(result.reason.find(expected.reason), std::string::npos) << result.reason;
      EXPECT_EQ(result.timing.has_value(), report::IsVerified(expected.verdict));
      EXPECT_EQ(result.reproduce.empty(), !report::IsFailure(expected.verdict));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Stubs, RunningStub,
    testing::Values(
        Expectation{"aborts", Verdict::kCrash, "SIGABRT in plan_run"},
        Expectation{"all_zeros", Verdict::kFail, "bound:"},
        Expectation{"empty", Verdict::kFail, "never written"},
        Expectation{"exits", Verdict::kCrash, "exited with status 0 in plan_run"},
        Expectation{"flush_to_zero", Verdict::kPass, ""},
        Expectation{"flush_to_zero_in_run", Verdict::kPass, ""},
        Expectation{"hangs", Verdict::kTimeout, "timeout after 2 s in plan_run"},
        Expectation{"lies_unsupported", Verdict::kUnsupported, ""},
        Expectation{"newer_minor", Verdict::kPass, ""},
        Expectation{"older_minor", Verdict::kPass, ""},
        Expectation{"one_wrong_element", Verdict::kFail, "bound: 1 of "},
        Expectation{"peer_correct", Verdict::kPass, ""},
        Expectation{"peer_dies", Verdict::kCrash, "SIGKILL in plan_run"},
        Expectation{"peer_exits", Verdict::kCrash, "exited with status 3 in plan_run"},
        Expectation{"peer_garbage", Verdict::kError, "does not keep the protocol"},
        Expectation{"peer_hangs", Verdict::kTimeout, "timeout after 2 s in plan_run"},
        Expectation{"peer_prepare_raises", Verdict::kError,
                    "plan_create raised RuntimeError: no kernel for this shape"},
        Expectation{"peer_prints", Verdict::kPass, ""},
        Expectation{"peer_raises", Verdict::kError,
                    "plan_run raised ValueError: broken on purpose"},
        Expectation{"peer_reads_past_end", Verdict::kCrash, "peer_faults.py"},
        Expectation{"peer_writes_input", Verdict::kCrash, "SIGSEGV in plan_run"},
        Expectation{"peer_writes_nothing", Verdict::kFail, "never written"},
        Expectation{"peer_writes_past_end", Verdict::kFail, "past the end of out"},
        Expectation{"peer_wrong", Verdict::kFail, "bound:"},
        Expectation{"prints_garbage", Verdict::kPass, ""},
        Expectation{"reads_past_end", Verdict::kCrash, "SIGSEGV in plan_run at address"},
        Expectation{"returns_nan", Verdict::kFail, "bound:"},
        Expectation{"segfaults", Verdict::kCrash, "SIGSEGV in plan_run at address"},
        Expectation{"shape_cache", Verdict::kFail, "needle:"},
        Expectation{"silent_fallback", Verdict::kFail, "implementation: silent fallback"},
        Expectation{"skips_calls", Verdict::kFail, "never written"},
        Expectation{"throws", Verdict::kError, "plan_run"},
        Expectation{"truncates_output", Verdict::kPass, ""},
        Expectation{"writes_before_start", Verdict::kCrash, "SIGSEGV in plan_run at address"},
        Expectation{"writes_input", Verdict::kCrash, "SIGSEGV in plan_run at address"},
        Expectation{"writes_nothing", Verdict::kFail, "never written"},
        Expectation{"writes_past_end", Verdict::kFail, "past the end of out"}),
    [](const auto& info) { return std::string(info.param.stub); });

struct Refusal {
  const char* stub;
  BackendState state;
  std::vector<std::string> reasons;  // each a part of the reason
};

std::ostream& operator<<(std::ostream& out, const Refusal& refusal) { return out << refusal.stub; }

class RefusedStub : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedStub, IsNamedWithTheReasonAndTheRunGoesOn) {
  const Refusal& expected = GetParam();
  std::string warned;
  Hooks hooks;
  hooks.warning = [&](const std::string& text) { warned += text; };
  Settings settings = SettingsFor({Stub(expected.stub), Stub("correct")});
  const Outcome outcome = RunSweep(settings, hooks);
  ASSERT_EQ(outcome.backends.size(), 2u);
  for (const report::Backend& backend : outcome.backends) {
    if (backend.name == "correct") continue;
    EXPECT_EQ(backend.state, expected.state);
    EXPECT_NE(warned.find(backend.reason), std::string::npos) << warned;
    for (const std::string& part : expected.reasons)
      EXPECT_NE(backend.reason.find(part), std::string::npos) << backend.reason;
  }
  ASSERT_EQ(outcome.cells.size(), 2u);
  for (const report::CellRecord& cell : outcome.cells) {
    ASSERT_EQ(cell.results.size(), 1u);
    EXPECT_EQ(cell.results[0].verdict, Verdict::kPass) << cell.results[0].reason;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Stubs, RefusedStub,
    testing::Values(
        Refusal{"bad_name", BackendState::kRejected, {"name"}},
        Refusal{"missing_functions",
                BackendState::kRejected,
                {"missing functions: variant_info, plan_sync"}},
        Refusal{"missing_symbol", BackendState::kRejected, {"attest_backend_entry"}},
        Refusal{"not_a_library", BackendState::kRejected, {"attest_not_a_library.so"}},
        Refusal{"null_table", BackendState::kRejected, {"1.2"}},
        Refusal{"peer_import_error", BackendState::kRejected, {"ImportError", "libmissing.so.1"}},
        Refusal{"peer_no_interpreter",
                BackendState::kRejected,
                {"cannot start the worker", "No such file"}},
        Refusal{"peer_not_executable",
                BackendState::kRejected,
                {"cannot start the worker", "Permission denied"}},
        Refusal{"peer_silent", BackendState::kRejected, {"exited with status 7", "out of words"}},
        Refusal{"size_zero", BackendState::kRejected, {"0 bytes"}},
        Refusal{"unavailable", BackendState::kUnavailable, {}},
        Refusal{"unknown_format", BackendState::kRejected, {"format"}},
        Refusal{"unsorted_variants", BackendState::kRejected, {"alphabetical"}},
        Refusal{"wrong_major", BackendState::kRejected, {"2.0", "1.2"}}),
    [](const auto& info) { return std::string(info.param.stub); });

TEST(Duplicates, TheSecondPluginOfANameIsRejected) {
  const Outcome outcome =
      RunSweep(SettingsFor({Stub("duplicate_first"), Stub("duplicate_second")}), {});
  ASSERT_EQ(outcome.backends.size(), 2u);
  EXPECT_EQ(outcome.backends[0].state, BackendState::kLoaded) << outcome.backends[0].reason;
  EXPECT_EQ(outcome.backends[1].state, BackendState::kRejected);
  EXPECT_NE(outcome.backends[1].reason.find("duplicate"), std::string::npos)
      << outcome.backends[1].reason;
}

TEST(Peers, RunOnlyWhereSomebodyAsksForThem) {
  Settings settings = SettingsFor({Stub("correct"), Stub("peer_correct")});
  settings.plugins[1].on_request = true;
  const auto labels = [&] {
    std::vector<std::string> found;
    const Outcome outcome = RunSweep(settings, {});
    for (const report::Result& result : outcome.cells.at(0).results)
      found.push_back(report::LabelOf(result));
    return found;
  };
  settings.measure = false;
  EXPECT_EQ(labels(), std::vector<std::string>{"correct"});
  settings.with_peers = true;
  EXPECT_EQ(labels(), (std::vector<std::string>{"correct", "peer_correct"}));
  settings.with_peers = false;
  settings.patterns = {"peer_*"};
  EXPECT_EQ(labels(), std::vector<std::string>{"peer_correct"});
}

TEST(FloatingPoint, WhatLoadingChangedIsRecorded) {
  const Outcome outcome = RunSweep(SettingsFor({Stub("flush_to_zero")}), {});
  ASSERT_EQ(outcome.backends.size(), 1u);
  EXPECT_NE(outcome.backends[0].floating_point_environment.find("flush-to-zero"), std::string::npos)
      << outcome.backends[0].floating_point_environment;
}

TEST(Overhead, AnEmptyCallIsMeasuredInNanoseconds) {
  // No assertion on the figure (machines differ): it is printed, and the harness's cost is `attest
  // run`'s to show.
  Settings settings = SettingsFor({Stub("correct")});
  settings.cells = ExpandSweep({{{"seq", "1"}, {"heads", "1"}, {"head-size", "1"}}}, {}, 3);
  const Outcome outcome = RunSweep(settings, {});
  ASSERT_TRUE(outcome.cells.at(0).results.at(0).timing);
  const double seconds = outcome.cells[0].results[0].timing->median_seconds;
  EXPECT_GT(seconds, 0);
  RecordProperty("one_by_one_call_nanoseconds", std::to_string(seconds * 1e9));
}

TEST(Patterns, AnUnknownBackendNamesTheNearest) {
  Settings settings = SettingsFor({Stub("correct")});
  settings.patterns = {"corect"};
  try {
    (void)RunSweep(settings, {});
    FAIL() << "no exception";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'correct'"), std::string::npos)
        << error.what();
  }
}

TEST(Memory, CellsThatDoNotFitAreSkippedWithBytesNeededAndHad) {
  Settings settings = SettingsFor({Stub("correct")});
  settings.cells =
      ExpandSweep({{{"seq", "1000000000"}, {"heads", "1"}, {"head-size", "64"}}}, {}, 3);
  const Outcome outcome = RunSweep(settings, {});
  const report::Result& result = outcome.cells.at(0).results.at(0);
  EXPECT_EQ(result.verdict, Verdict::kSkipped);
  EXPECT_NE(result.reason.find("bytes"), std::string::npos) << result.reason;
  EXPECT_NE(result.reason.find("available"), std::string::npos) << result.reason;
}

}  // namespace
}  // namespace attest::judge
