// SPDX-License-Identifier: Apache-2.0
#include "tests/report/fixture.h"

#include <limits>

#include "harness/report/statistics.h"

namespace attest::report {
namespace {

// Reproducible noise within +-0.25 % or so, in dyadic steps so that the golden file's digits are
// few.
double Noise(uint64_t& state) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return 1 + (static_cast<double>(state >> 59) - 16) / 4096;
}

Machine FixtureMachine() {
  Machine machine;
  machine.slug = "acme-vector-avx2-4c";
  machine.host_name = "bench-host";
  machine.os = "Debian GNU/Linux 12 (bookworm)";
  machine.kernel = "6.1.0";
  machine.virtualization = "none";
  machine.load_average = {0.5, 0.25, 0.125};
  machine.cpu = {"ACME Vector", "0x1", 1, 4, 8, 2500, {"avx", "avx2", "fma"}, {}, 1};
  machine.cpu.caches = {
      {1, "Data", 32768, 2}, {2, "Unified", 1 << 20, 2}, {3, "Unified", 1 << 24, 8}};
  machine.limits = {2.5, {0, 1}, uint64_t{1} << 34};
  machine.frequency = {"powersave", "on"};
  machine.gpus = {{"ACME GPU", "580.1", uint64_t{1} << 33, 250.0}};
  machine.nvml = "13.580.1";
  return machine;
}

Policy FixturePolicy() {
  Policy policy;
  policy.argv = {"attest", "run", "--suite", "smoke"};
  policy.executable = "bin/attest";
  policy.suite = "smoke";
  policy.axes = {{"seq", "128,512"}, {"causal", "0"}};
  policy.backends = {"eigen", "naive"};
  policy.require = {"eigen:2"};
  policy.baseline = "eigen:unfused";
  policy.compare_rules = true;
  policy.warm_up_calls = 1;
  policy.warm_up_seconds = 0.03;
  policy.seed = 18446744073709551615u;  // needs all 64 bits
  policy.threads = 2;
  policy.fewer_threads = {1};
  return policy;
}

Timing MakeTiming(double seconds, uint64_t& noise) {
  Timing timing;
  for (int round = 0; round < kFixtureRounds; ++round) {
    const double sample = seconds * Noise(noise);
    timing.samples_seconds.push_back(sample);
    timing.wall_samples_seconds.push_back(sample);
    timing.cpu_samples_seconds.push_back(2 * sample * Noise(noise));
    timing.iterations.push_back(16);
  }
  timing.voluntary_switches = 24;
  timing.involuntary_switches = 3;
  Summarize(timing);
  return timing;
}

Verification MakeVerification(double error) {
  Verification verification;
  verification.max_abs_error = error / 1024;
  verification.error_over_bound = error;
  verification.error_over_probabilistic_bound = 2 * error;
  verification.max_ulp = 3;
  verification.bias_z = -0.5;
  verification.worst = Worst{0, 1, 2, 3, 0.25, 0.25 + error / 1024};
  verification.checks = {{"bound", error <= 1 ? "pass" : "fail", ""},
                         {"needle", "not_applicable", "head_size 3 has no codes"}};
  return verification;
}

Result MakeResult(const char* backend, const char* variant, Verdict verdict) {
  Result result;
  result.backend = backend;
  result.variant = variant;
  result.verdict = verdict;
  result.implementation = "loops, avx2";
  return result;
}

Result Measured(const char* variant, double seconds, uint64_t& noise) {
  Result result = MakeResult("eigen", variant, Verdict::kPass);
  result.verification = MakeVerification(0.125);
  result.verification->rules = {{"nmse_5e-4", true}, {"torch_default", false}};
  result.threads = 2;
  result.timing = MakeTiming(seconds, noise);
  result.peak_memory_bytes = 1 << 20;
  result.workspace_bytes = 4096;
  result.setup_seconds = 0.5;
  return result;
}

Result Failed() {
  Result result = MakeResult("naive", "", Verdict::kFail);
  result.reason = "error is \xff inf times the bound\nat row 2 | column 3";
  result.reproduce = "attest verify --backend naive --seq 3";
  result.reproduce_original = "attest verify --backend naive --seq 512";
  result.smallest =
      Smallest{"sdpa/f32/b1/h1/kv1/q3/k3/d1", "bound: 1 of 3 elements", true, 17, 0.25};
  result.verification = MakeVerification(std::numeric_limits<double>::infinity());
  result.verification->worst->got = std::numeric_limits<double>::quiet_NaN();
  result.verification->inferred_contract = "no arithmetic explains it";
  result.verification->deviation = "from row 64 on";
  result.verification->nmse = -std::numeric_limits<double>::infinity();
  uint64_t noise = 1;
  result.timing = MakeTiming(0.5, noise);  // the writer must not publish it
  result.rates = Rates{1, 2, 3};
  return result;
}

Result Unsupported() {
  Result result = MakeResult("opencl", "naive", Verdict::kUnsupported);
  result.device = 1;
  result.reason = "head_size 64 needs 80 KiB of local memory, the device has 32 KiB";
  return result;
}

CellRecord MakeCell(int64_t q_rows, int64_t kv_rows) {
  CellRecord record;
  attest_problem& problem = record.cell.problem;
  problem = DefaultProblem();
  problem.q_num_heads = problem.kv_num_heads = 12;
  problem.q_sequence_length = q_rows;
  problem.kv_sequence_length = kv_rows;
  problem.head_size = 64;
  ResolveProblem(problem);
  record.id = CellId(record.cell);
  const auto rows = static_cast<double>(q_rows), keys = static_cast<double>(kv_rows);
  record.flops = record.flops_unmasked = 2 * 12 * rows * keys * 128;
  record.bytes_min = 4 * 12 * 128 * (rows + keys);
  record.rows_checked = record.rows_total = 12 * q_rows;
  return record;
}

std::vector<Backend> FixtureBackends() {
  Backend eigen;
  eigen.name = "eigen";
  eigen.state = BackendState::kLoaded;
  eigen.path = "lib/attest/attest_eigen.so";
  eigen.library = "Eigen";
  eigen.library_version = "3.4.0";
  eigen.runtime = "OpenMP";
  eigen.abi = "1.0";
  eigen.floating_point_environment = "unchanged";
  eigen.devices = {{0, "ACME Vector", "Linux", "cpu", 0, "acme_fp16 acme_fp64"}};
  const Contract f32 = {"f32", "f32", "none", "none", "none", 0, false, true};
  Contract bf16 = f32;
  bf16.dtype = "bf16";
  bf16.probabilities = "bf16";
  eigen.variants = {{"flash", "tiles, O(L) memory", {bf16, f32}},
                    {"unfused", "O(L^2) memory", {f32}}};
  Backend cuda;
  cuda.name = "cuda";
  cuda.state = BackendState::kUnavailable;
  cuda.reason = "no CUDA driver";
  cuda.path = "lib/attest/attest_cuda.so";
  return {eigen, cuda};
}

}  // namespace

Report MakeReport(double slowdown, uint64_t seed) {
  Report report;
  report.date = "2024-05-01T12:00:00+02:00";
  report.machine = FixtureMachine();
  report.build = {"0.1.0", "0123456789abcdef", false, "GNU 12.2.0", "-O3", "Release"};
  report.policy = FixturePolicy();
  report.ceilings = {{"cpu", 2, "avx2", 1e11, 0, 2e10, 1 << 26}};
  report.backends = FixtureBackends();
  report.cells = {MakeCell(512, 512), MakeCell(1, 4096)};
  uint64_t noise = seed;
  double seconds = 0x1p-5;
  for (CellRecord& cell : report.cells) {
    cell.results = {Measured("flash", seconds / 2 * slowdown, noise),
                    Measured("unfused", seconds, noise), Failed(), Unsupported()};
    const bool decodes = cell.cell.problem.q_sequence_length == 1;
    cell.ceiling = RoundCeiling{
        decodes ? kReadFigure : kFmaFigure, 2, decodes ? 4096u : 0u, {0.75e11, 1e11}, 0.875e11};
    cell.agreement = "2 agree with the reference, 1 deviates: naive from row 64 on";
    seconds /= 16;
  }
  report.cells[0].results[0].scaling = Scaling{1, 1.75, 1.5, 1.875, 0.875, kFixtureRounds};
  Timing& timing = *report.cells[0].results[0].timing;  // the others have no clock of their own
  timing.device_samples_seconds = timing.wall_samples_seconds;
  for (double& sample : *timing.device_samples_seconds) sample *= 0.75;
  report.cells[1].results[1].verdict = Verdict::kSuspicious;
  report.cells[1].results[1].reason = "error is 1.2 of the probabilistic bound";
  for (CellRecord& cell : report.cells)
    for (Result& result : cell.results)
      if (IsVerified(result.verdict))
        result.rates = RatesOf(cell, *result.timing, CeilingFor(report, result));
  Summarize(report.cells, report.summary);
  report.summary.duration_seconds = 12.5;
  report.summary.verification_seconds = 2.5;
  return report;
}

}  // namespace attest::report
