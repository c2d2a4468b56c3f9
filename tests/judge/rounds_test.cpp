// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/rounds.h"

#include <gtest/gtest.h>

#include "harness/judge/reproduce.h"

namespace attest::judge {
namespace {

TEST(PlanRounds, FastResultsGetAllRoundsOfMinTime) {
  Settings settings;
  const Plan plan = PlanRounds(settings, 0.001);
  EXPECT_EQ(plan.rounds, settings.rounds);
  EXPECT_EQ(plan.iterations, 30u);
}

TEST(PlanRounds, ARoundHasAtLeastOneCallAndABoundedNumber) {
  Settings settings;
  EXPECT_EQ(PlanRounds(settings, 0.1).iterations, 1u);
  EXPECT_EQ(PlanRounds(settings, 0.1).rounds, settings.rounds);
  EXPECT_EQ(PlanRounds(settings, 0).iterations, 1000000u);
  settings.cold_cache = true;
  EXPECT_EQ(PlanRounds(settings, 0).iterations, 4u);
}

TEST(PlanRounds, SlowResultsGetThreeSingleCalls) {
  Settings settings;
  const Plan plan = PlanRounds(settings, 0.5);  // 12 x 0.5 s > 4 s
  EXPECT_EQ(plan.rounds, 3);
  EXPECT_EQ(plan.iterations, 1u);
}

TEST(PredictTooSlow, SaysThePredictionOrNothing) {
  Settings settings;
  Contender contender;
  CellData data;
  data.work.flops_unmasked = 1e9;
  EXPECT_EQ(PredictTooSlow(settings, contender, data), "");  // nothing known yet
  contender.seconds_per_flop = 1e-10;
  EXPECT_EQ(PredictTooSlow(settings, contender, data), "");  // 0.1 s a call
  contender.seconds_per_flop = 1.5e-9;
  const std::string reason = PredictTooSlow(settings, contender, data);
  EXPECT_NE(reason.find("predicted 4.5 s"), std::string::npos) << reason;
  EXPECT_NE(reason.find("--max-cell-seconds 4"), std::string::npos) << reason;
  contender.seconds_per_flop = 1.3e-9;  // three rounds, which are its checked calls, too: 3.9 s
  EXPECT_EQ(PredictTooSlow(settings, contender, data), "");
  settings.measure = false;  // three checked calls
  EXPECT_EQ(PredictTooSlow(settings, contender, data), "");
}

TEST(LearnRate, IgnoresCellsThatSayNothingOfLargerOnes) {
  Contender contender;
  LearnRate(0.9e-3, 1e6, contender);  // a call's own cost
  LearnRate(0.5, 1e3, contender);     // a small cell that had to wait
  EXPECT_EQ(contender.seconds_per_flop, 0);
  LearnRate(2.0, 1e6, contender);
  EXPECT_EQ(contender.seconds_per_flop, 2e-6);
  LearnRate(3.0, 1e6, contender);
  EXPECT_EQ(contender.seconds_per_flop, 2e-6);
  LearnRate(1.0, 1e6, contender);
  EXPECT_EQ(contender.seconds_per_flop, 1e-6);
}

TEST(ReproduceCommand, NamesEveryFieldThatIsNotAtItsDefault) {
  Cell cell;
  cell.problem.q_num_heads = 4;
  cell.problem.kv_num_heads = 2;
  cell.problem.q_sequence_length = 33;
  cell.problem.head_size = 40;
  cell.problem.is_causal = 1;
  cell.problem.causal_offset = -3;
  ResolveProblem(cell.problem);
  Contender contender;
  contender.backend = "eigen";
  contender.variant = "flash";
  const Settings settings;
  contender.host = std::make_shared<Host>(settings, "folder/attest_eigen.so", 0, 2);
  const std::string command = ReproduceCommand(settings, contender, cell, {});
  EXPECT_TRUE(
      command.starts_with("attest verify --backend eigen:flash --seq 33 --kv-len 33 "
                          "--heads 4 --head-size 40 --kv-heads 2 --causal=-3"))
      << command;
}

TEST(ReproduceCommand, OfFewerThreadsGivesThemByOption) {
  Cell cell;
  ResolveProblem(cell.problem);
  Settings settings;
  settings.threads = 4;
  settings.fixed_threads = true;
  Contender contender;
  contender.backend = "eigen-2t";
  contender.host = std::make_shared<Host>(settings, "folder/attest_eigen.so", 1, 2);
  const std::string command = ReproduceCommand(settings, contender, cell, {});
  EXPECT_TRUE(command.starts_with("attest verify --backend eigen@1 --seq")) << command;
  EXPECT_TRUE(command.ends_with(" --threads 2")) << command;
}

TEST(IgnoresThreads, IsSeenByTheCpusThatAreBusy) {
  Settings settings;
  settings.threads = 4;
  report::Timing timing;
  EXPECT_EQ(IgnoresThreads(settings, 1, timing), "") << "nobody measured CPU time";
  timing.cpus_used = 1.3;  // calls of a microsecond, and what lies between them
  EXPECT_EQ(IgnoresThreads(settings, 1, timing), "");
  timing.cpus_used = 3.9;
  EXPECT_EQ(IgnoresThreads(settings, 4, timing), "");
  EXPECT_EQ(IgnoresThreads(settings, 1, timing),
            "it was given 1 of 4 threads and kept 3.9 CPUs busy");
}

}  // namespace
}  // namespace attest::judge
