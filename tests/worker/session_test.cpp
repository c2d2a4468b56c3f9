// SPDX-License-Identifier: Apache-2.0
//
// A real attest-worker over its socket with real plugins: the life of a plan, what is refused and
// why, how it dies.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "tests/worker/worker_process.h"

namespace attest {
namespace {

constexpr double kTolerance = 1e-6;  // outputs are below 1 in size, rounded once to f32

protocol::Reply LoadStub(WorkerProcess& worker, const std::string& stub) {
  return worker.Ask(protocol::Load{StubPath(stub), 1, 0, ""});
}

TEST(Session, LifeOfAPlan) {
  WorkerProcess worker;
  const protocol::Reply loaded = LoadStub(worker, "correct");
  ASSERT_EQ(loaded.status, "ok") << loaded.message;
  const auto& load = std::get<protocol::LoadReply>(loaded.body);
  EXPECT_EQ(load.backend, "correct");
  EXPECT_EQ(load.library, "stub");
  EXPECT_EQ(load.abi_version, static_cast<uint32_t>(ATTEST_ABI_VERSION));
  EXPECT_EQ(load.floating_point_environment, "unchanged");
  ASSERT_EQ(load.devices.size(), 1u);
  EXPECT_EQ(load.devices[0].kind, "cpu");
  ASSERT_EQ(load.variants.size(), 1u);
  ASSERT_EQ(load.variants[0].contracts.size(), 1u);
  EXPECT_EQ(load.variants[0].contracts[0].dtype, ATTEST_F32);

  OneHead head(33);
  const protocol::Reply prepared = head.Prepare(worker);
  ASSERT_EQ(prepared.status, "ok") << prepared.message;
  EXPECT_EQ(std::get<protocol::PrepareReply>(prepared.body).implementation, "stub loops");

  const protocol::Reply ran = worker.Ask(protocol::Run{1, head.binding()});
  ASSERT_EQ(ran.status, "ok") << ran.message;
  EXPECT_LE(head.LargestError(), kTolerance);
  const auto& run = std::get<protocol::RunReply>(ran.body);
  EXPECT_GT(run.seconds, 0);
  EXPECT_GT(run.peak_memory_bytes, 1u << 20);
  EXPECT_LT(run.peak_memory_bytes, 64u << 20);
  EXPECT_EQ(worker.control().calls, 1u);
  EXPECT_EQ(worker.control().phase, protocol::kIdle);

  const protocol::Reply measured =
      worker.Ask(protocol::Measure{1, head.binding(), 20, 7, 0xffc00001u, 0});
  ASSERT_EQ(measured.status, "ok") << measured.message;
  const auto& measure = std::get<protocol::MeasureReply>(measured.body);
  EXPECT_EQ(measure.iterations, 20u);
  EXPECT_EQ(measure.timer, "wall");
  EXPECT_GT(measure.min_seconds, 0);
  EXPECT_GE(measure.seconds_per_call, measure.min_seconds);
  EXPECT_GE(measure.max_seconds, measure.seconds_per_call);
  EXPECT_GT(measure.cpu_seconds_per_call, 0);
  EXPECT_EQ(worker.control().calls, 22u);  // 1 run, 1 off the clock, 20 measured
  EXPECT_LE(head.LargestError(), kTolerance);

  EXPECT_EQ(worker.Ask(protocol::Release{1}).status, "ok");
  EXPECT_EQ(worker.Ask(protocol::Release{1}).status, "protocol_error");
  EXPECT_EQ(worker.Ask(protocol::Detach{{0, 1, 2, 3}}).status, "ok");
  EXPECT_EQ(worker.Ask(protocol::Quit{}).status, "ok");
  EXPECT_EQ(worker.Wait(), 0);
}

TEST(Session, PoisonReachesAPlanThatSkips) {
  WorkerProcess worker;
  ASSERT_EQ(LoadStub(worker, "skips_calls").status, "ok");
  OneHead head(5);
  ASSERT_EQ(head.Prepare(worker).status, "ok");
  ASSERT_EQ(worker.Ask(protocol::Run{1, head.binding()}).status, "ok");
  EXPECT_LE(head.LargestError(), kTolerance);
  ASSERT_EQ(worker.Ask(protocol::Measure{1, head.binding(), 10, 4, 0xffc00001u, 0}).status, "ok");
  EXPECT_FALSE(head.LargestError() <= kTolerance);
}

TEST(Session, ColdCallsAreMeasured) {
  WorkerProcess worker;
  ASSERT_EQ(LoadStub(worker, "correct").status, "ok");
  OneHead head(5);
  ASSERT_EQ(head.Prepare(worker).status, "ok");
  const protocol::Reply reply = worker.Ask(protocol::Measure{1, head.binding(), 3, 0, 1, 4e6});
  ASSERT_EQ(reply.status, "ok") << reply.message;
  EXPECT_EQ(std::get<protocol::MeasureReply>(reply.body).iterations, 3u);
  EXPECT_LE(head.LargestError(), kTolerance);
}

// Mean of `iterations` calls by the stub's own clock; negative: the measurement failed.
double DeviceSeconds(const std::string& stub, uint64_t iterations) {
  WorkerProcess worker;
  if (LoadStub(worker, stub).status != "ok") return -1;
  OneHead head(3);
  if (head.Prepare(worker).status != "ok") return -2;
  const protocol::Reply reply =
      worker.Ask(protocol::Measure{1, head.binding(), iterations, iterations, 1, 0});
  if (reply.status != "ok") return -3;
  return std::get<protocol::MeasureReply>(reply.body).device_seconds_per_call;
}

TEST(Session, DevicesOwnClock) {
  EXPECT_EQ(DeviceSeconds("device_clock", 10), 0x1p-20);
  EXPECT_EQ(DeviceSeconds("device_clock_gaps", 1), 0x1p-20);
  EXPECT_EQ(DeviceSeconds("device_clock_gaps", 10), 0);
  EXPECT_EQ(DeviceSeconds("device_clock_older", 10), 0);
  EXPECT_EQ(DeviceSeconds("correct", 10), 0);
}

// The harness's own cost; printed, as it depends on the machine.
TEST(Session, OverheadOfAnEmptyCall) {
  WorkerProcess worker;
  ASSERT_EQ(LoadStub(worker, "empty").status, "ok");
  OneHead head(3);
  ASSERT_EQ(head.Prepare(worker).status, "ok");
  const protocol::Reply reply = worker.Ask(protocol::Measure{1, head.binding(), 100000, 0, 1, 0});
  ASSERT_EQ(reply.status, "ok") << reply.message;
  const auto& measure = std::get<protocol::MeasureReply>(reply.body);
  EXPECT_EQ(measure.iterations, 100000u);
  EXPECT_GT(measure.seconds_per_call, 0);
  std::printf("empty call: mean %.1f ns, least %.1f ns\n", measure.seconds_per_call * 1e9,
              measure.min_seconds * 1e9);
}

TEST(Session, TimingVariablesOfTheEnvironmentAreForgotten) {
  WorkerProcess worker({"BENCHMARK_REPETITIONS=3", "BENCHMARK_LIST_TESTS=true"});
  ASSERT_EQ(LoadStub(worker, "correct").status, "ok");
  OneHead head(3);
  ASSERT_EQ(head.Prepare(worker).status, "ok");
  const protocol::Reply reply = worker.Ask(protocol::Measure{1, head.binding(), 5, 0, 1, 0});
  ASSERT_EQ(reply.status, "ok") << reply.message;
  EXPECT_EQ(worker.control().calls, 6u);  // 1 off the clock
}

TEST(Session, FloatingPointModesAreRestored) {
#if !defined(__SSE__)
  GTEST_SKIP() << "only x86 has these modes in user code's reach";
#endif
  WorkerProcess worker;
  const protocol::Reply loaded = LoadStub(worker, "flush_to_zero");
  ASSERT_EQ(loaded.status, "ok") << loaded.message;
  EXPECT_EQ(std::get<protocol::LoadReply>(loaded.body).floating_point_environment,
            "restored: flush-to-zero, denormals-are-zero");
}

TEST(Session, FloatingPointModesAreRestoredAfterARun) {
#if !defined(__SSE__)
  GTEST_SKIP() << "only x86 has these modes in user code's reach";
#endif
  WorkerProcess worker;
  const protocol::Reply loaded = LoadStub(worker, "flush_to_zero_in_run");
  EXPECT_EQ(std::get<protocol::LoadReply>(loaded.body).floating_point_environment, "unchanged");
  OneHead head(3);
  ASSERT_EQ(head.Prepare(worker).status, "ok");
  const protocol::Reply ran = worker.Ask(protocol::Run{1, head.binding()});
  ASSERT_EQ(ran.status, "ok") << ran.message;
  EXPECT_EQ(std::get<protocol::RunReply>(ran.body).floating_point_environment,
            "restored: flush-to-zero, denormals-are-zero");
}

TEST(Session, CeilingsOfTheHost) {
  WorkerProcess worker;
  ASSERT_EQ(worker.Ask(protocol::Load{"", 1, 0, ""}).status, "ok");
  const protocol::Reply reply = worker.Ask(protocol::Ceilings{16 << 20});
  ASSERT_EQ(reply.status, "ok") << reply.message;
  const auto& ceilings = std::get<protocol::CeilingsReply>(reply.body);
  EXPECT_EQ(ceilings.threads, 1u);
  EXPECT_FALSE(ceilings.isa.empty());
  EXPECT_GT(ceilings.f32_fma_flops, 1e8);
  EXPECT_GT(ceilings.read_bytes_per_second, 1e8);
  std::printf("%s: f32 %.1f GFLOP/s, bf16 %.1f GFLOP/s, read %.1f GB/s\n", ceilings.isa.c_str(),
              ceilings.f32_fma_flops * 1e-9, ceilings.bf16_dot_flops * 1e-9,
              ceilings.read_bytes_per_second * 1e-9);
}

TEST(Session, OneTrialOfOneCeiling) {
  WorkerProcess worker;
  ASSERT_EQ(worker.Ask(protocol::Load{"", 1, 0, ""}).status, "ok");
  const auto ask = [&](const std::string& figure) {
    return worker.Ask(protocol::Ceilings{16 << 20, figure, 0.01});
  };
  const protocol::Reply fma = ask("f32_fma_flops"), read = ask("read_bytes_per_second");
  ASSERT_EQ(fma.status, "ok") << fma.message;
  ASSERT_EQ(read.status, "ok") << read.message;
  EXPECT_GT(std::get<protocol::CeilingsReply>(fma.body).f32_fma_flops, 1e8);
  EXPECT_EQ(std::get<protocol::CeilingsReply>(fma.body).read_bytes_per_second, 0);
  EXPECT_GT(std::get<protocol::CeilingsReply>(read.body).read_bytes_per_second, 1e8);
  EXPECT_NE(ask("speed").message.find("no ceiling is called 'speed'"), std::string::npos);
}

TEST(Session, ProtocolErrorsLeaveTheWorkerAlive) {
  WorkerProcess worker;
  EXPECT_NE(worker.AskRaw("nonsense").find("protocol_error"), std::string::npos);
  EXPECT_NE(worker.AskRaw(R"({"id":3,"op":"dance"})").find("unknown word 'dance'"),
            std::string::npos);
  EXPECT_EQ(worker.Ask(protocol::Release{1}).status, "protocol_error");
  ASSERT_EQ(LoadStub(worker, "correct").status, "ok");
  EXPECT_EQ(LoadStub(worker, "correct").status, "protocol_error");
  OneHead head(3);
  ASSERT_EQ(head.Prepare(worker).status, "ok");
  protocol::Binding binding = head.binding();
  binding[3].buffer = 0;  // an input's, mapped read-only
  const protocol::Reply reply = worker.Ask(protocol::Run{1, binding});
  EXPECT_EQ(reply.status, "protocol_error");
  EXPECT_NE(reply.message.find("out needs a writable buffer"), std::string::npos) << reply.message;
  binding[3] = {ATTEST_ROLE_OUT, 3, 4096 - 128, 0, 0};
  EXPECT_EQ(worker.Ask(protocol::Run{1, binding}).message, "binding: out does not fit in buffer 3");
  EXPECT_EQ(worker.Ask(protocol::Run{1, head.binding()}).status, "ok");
}

struct Refusal {
  const char* stub;
  const char* status;
  const char* message;  // a part of it
};

class Refused : public ::testing::TestWithParam<Refusal> {};

TEST_P(Refused, WithTheReason) {
  WorkerProcess worker;
  const protocol::Reply reply = LoadStub(worker, GetParam().stub);
  EXPECT_EQ(reply.status, GetParam().status);
  EXPECT_NE(reply.message.find(GetParam().message), std::string::npos) << reply.message;
}

INSTANTIATE_TEST_SUITE_P(
    Stubs, Refused,
    ::testing::Values(
        Refusal{"not_a_library", "rejected", "not a loadable library: "},
        Refusal{"missing_symbol", "rejected", "missing symbol attest_backend_entry"},
        Refusal{"null_table", "rejected", "plugin cannot serve host ABI 1.2"},
        Refusal{"wrong_major", "rejected", "built for ABI 2.0, host has 1.2"},
        Refusal{"size_zero", "rejected", "its table says it has 0 bytes"},
        Refusal{"missing_functions", "rejected", "missing functions: variant_info, plan_sync"},
        Refusal{"bad_name", "rejected", "its name is 'Bad-Name'"},
        Refusal{"unsorted_variants", "rejected", "not in alphabetical order: 'a' after 'b'"},
        Refusal{"unknown_format", "rejected", "contract of variant '' for f32: "},
        Refusal{"unavailable", "unavailable", "no driver for the stub's device"}),
    [](const auto& info) { return std::string(info.param.stub); });

TEST(Session, OtherMinorVersionsAreServed) {
  for (const char* stub : {"older_minor", "newer_minor"}) {
    WorkerProcess worker;
    const protocol::Reply loaded = LoadStub(worker, stub);
    ASSERT_EQ(loaded.status, "ok") << stub << ": " << loaded.message;
    OneHead head(3);
    ASSERT_EQ(head.Prepare(worker).status, "ok") << stub;
    ASSERT_EQ(worker.Ask(protocol::Run{1, head.binding()}).status, "ok") << stub;
    EXPECT_LE(head.LargestError(), kTolerance) << stub;
  }
}

TEST(Session, AnExceptionIsAnInternalError) {
  WorkerProcess worker;
  ASSERT_EQ(LoadStub(worker, "throws").status, "ok");
  OneHead head(3);
  ASSERT_EQ(head.Prepare(worker).status, "ok");
  const protocol::Reply ran = worker.Ask(protocol::Run{1, head.binding()});
  EXPECT_EQ(ran.status, "internal_error");
  EXPECT_EQ(ran.message, "plan_run threw: thrown on purpose");
  const protocol::Reply measured = worker.Ask(protocol::Measure{1, head.binding(), 5, 0, 1, 0});
  EXPECT_EQ(measured.status, "internal_error");
  EXPECT_EQ(measured.message, "plan_run threw: thrown on purpose");
}

TEST(Session, UnsupportedAfterAllIsUnsupported) {
  WorkerProcess worker;
  ASSERT_EQ(LoadStub(worker, "lies_unsupported").status, "ok");
  OneHead head(3);
  const protocol::Reply prepared = head.Prepare(worker);
  EXPECT_EQ(prepared.status, "unsupported");
  EXPECT_EQ(prepared.message, "supports said yes, plan_create says no");
}

TEST(Session, WhatAPluginPrintsIsNoReply) {
  WorkerProcess worker;
  ASSERT_EQ(LoadStub(worker, "prints_garbage").status, "ok");
  OneHead head(3);
  ASSERT_EQ(head.Prepare(worker).status, "ok");
  EXPECT_EQ(worker.Ask(protocol::Run{1, head.binding()}).status, "ok");
}

struct Death {
  const char* stub;
  int signal;  // 0: the process exits
  uint32_t is_write;
  uint64_t address;  // 0: any
};

class Dies : public ::testing::TestWithParam<Death> {};

// 32 tokens fill whole pages, so that each end of a tensor lies against its guard page.
TEST_P(Dies, LeavingItsTrace) {
  WorkerProcess worker;
  ASSERT_EQ(LoadStub(worker, GetParam().stub).status, "ok");
  OneHead head(32);
  ASSERT_EQ(head.Prepare(worker).status, "ok");
  EXPECT_EQ(worker.Ask(protocol::Run{1, head.binding()}).status, "dead");
  const int status = worker.Wait();
  EXPECT_EQ(protocol::PhaseName(worker.control().phase), "plan_run");
  EXPECT_EQ(worker.control().calls, 1u);
  EXPECT_EQ(worker.control().signal, static_cast<uint32_t>(GetParam().signal));
  if (GetParam().signal == 0) {
    EXPECT_TRUE(WIFEXITED(status));
    return;
  }
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), GetParam().signal);
#if defined(__x86_64__)
  EXPECT_EQ(worker.control().is_write, GetParam().is_write);
#endif
  if (GetParam().signal != SIGSEGV) return;
  if (GetParam().address != 0)
    EXPECT_EQ(worker.control().address, GetParam().address);
  else
    EXPECT_GT(worker.control().address, 4096u);
}

INSTANTIATE_TEST_SUITE_P(Stubs, Dies,
                         ::testing::Values(Death{"segfaults", SIGSEGV, 1, 16},
                                           Death{"aborts", SIGABRT, 2, 0}, Death{"exits", 0, 0, 0},
                                           Death{"writes_input", SIGSEGV, 1, 0},
                                           Death{"writes_past_end", SIGSEGV, 1, 0},
                                           Death{"writes_before_start", SIGSEGV, 1, 0},
                                           Death{"reads_past_end", SIGSEGV, 0, 0}),
                         [](const auto& info) { return std::string(info.param.stub); });

}  // namespace
}  // namespace attest
