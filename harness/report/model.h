// SPDX-License-Identifier: Apache-2.0
//
// The report as plain C++ values: what a run measured, on what, how, and what was decided. It
// mirrors the JSON of report.schema.json and knows neither JSON nor any other third-party type.
// Field names carry their units. An absent std::optional is an absent key; a non-finite number is
// kept and written as such.
#ifndef ATTEST_HARNESS_REPORT_MODEL_H_
#define ATTEST_HARNESS_REPORT_MODEL_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/core/cell.h"

namespace attest::report {

// ---- the machine and the build ----
struct Cache {
  int level = 0;
  std::string type;         // "Data", "Instruction", "Unified": Google Benchmark's words
  uint64_t size_bytes = 0;  // of one cache
  int num_sharing = 0;      // hardware threads that share one
};
struct Cpu {
  std::string model, microcode;
  int sockets = 0, cores = 0, threads = 0;  // that exist, not those that may be used
  double mhz = 0;                           // per CPU, at the moment of asking; 0 = unknown
  std::vector<std::string> isa;             // "avx2", "avx512f", ...
  std::vector<Cache> caches;
  int numa_nodes = 0;
};
struct Limits {
  std::optional<double> cpu_quota;       // CPUs that the control group grants; absent = no limit
  std::vector<int> affinity;             // hardware threads this process may run on
  std::optional<uint64_t> memory_bytes;  // of the control group; absent = no limit
};
struct Frequency {
  std::string governor;  // "performance", ..., "unknown"
  std::string turbo;     // "on", "off", "unknown"
};
struct Gpu {
  std::string name, driver;
  std::optional<uint64_t> memory_bytes;
  std::optional<double> power_cap_watts;
  // When the run started; by NVML alone, as all that follows.
  std::optional<double> power_watts, temperature_celsius;
  std::optional<double> sm_clock_hertz, sm_clock_max_hertz, memory_clock_hertz;
  std::optional<bool> ecc, mig;
};
struct Machine {
  std::string slug;  // "intel-xeon-avx512-2c"
  std::string host_name, os, kernel, virtualization;
  std::array<double, 3> load_average{};
  Cpu cpu;
  Limits limits;
  Frequency frequency;
  std::vector<Gpu> gpus;
  std::string nvml;  // its version, or "unavailable: " and why
};
struct Build {
  std::string version, commit;
  bool dirty = false;
  std::string compiler, flags, build_type;
};

// ---- how it was measured ----
struct Policy {
  std::vector<std::string> argv;  // as typed
  std::string executable;
  std::string suite;
  std::vector<std::pair<std::string, std::string>>
      axes;                           // option without dashes -> its text: {"seq", "128,512"}
  std::vector<std::string> backends;  // patterns
  std::vector<std::string> backend_paths;
  std::vector<std::string> require;
  std::string baseline;  // label that speed-ups are against
  uint64_t seed = 1;
  int rounds = 12;
  double min_time_seconds = 0.03;
  int threads = 1;
  std::vector<int> fewer_threads;  // that host backends were started with, too: core/threads.h
  std::string data = "normal";
  double timeout_seconds = 60;
  double max_cell_seconds = 4;
  double oracle_budget = 2e9;  // multiply-adds a cell
  std::string cache = "warm";  // or "cold"
  int warm_up_calls = 0;       // untimed, before each warm round of several calls
  double warm_up_seconds = 0;  // of such calls, where the rate of reading limits the cell
  std::string isa;             // forced level; empty = the best
  std::string tune;            // --tune; empty = not given
  std::string shard;           // "2/8"; empty = all
  double shrink_seconds = 0;   // for a smaller problem of a failed result; 0 = not looked for
  bool verify_only = false;
  std::string checks = "quick";  // or "all"
  bool compare_rules = false;
};

struct Ceiling {
  std::string name;  // "cpu", or the device's label
  int threads = 0;
  std::string isa;            // of the loops that measured
  double f32_fma_flops = 0;   // FLOP/s; 0 = not measured, as in all three
  double bf16_dot_flops = 0;  // FLOP/s
  double read_bytes_per_second = 0;
  uint64_t footprint_bytes = 0;  // that the read ceiling was measured at
};

// ---- the backends ----
struct Contract {
  std::string dtype;  // io type it holds for
  std::string accumulate, operands, scores, probabilities;
  double exp_relative_error = 0;
  bool nondeterministic = false, masked_nan_safe = false;
  std::string projections = "none";  // of self_attention
  bool flushes_subnormals = false;
};
struct Variant {
  std::string name, description;
  std::vector<Contract> contracts;  // one per io type the variant has
};
struct Device {
  uint32_t index = 0;
  std::string name, driver, kind;
  uint64_t memory_bytes = 0;  // 0 = unknown
  std::string extensions;     // of the driver, separated by spaces
};
enum class BackendState { kLoaded, kUnavailable, kRejected };
struct Backend {
  std::string name;
  BackendState state = BackendState::kRejected;
  std::string reason;  // empty when loaded
  std::string path, library, library_version, runtime, abi;
  std::string floating_point_environment;
  std::vector<Device> devices;
  std::vector<Variant> variants;
};

// ---- the cells ----
enum class Verdict {
  kPass,
  kSuspicious,
  kFail,
  kVacuous,
  kUnsupported,
  kError,
  kTimeout,
  kCrash,
  kSkipped
};
inline constexpr int kVerdictCount = 9;

struct Worst {
  int64_t batch = 0, head = 0, row = 0, column = 0;
  double expected = 0, got = 0;
};
struct Check {
  std::string name;     // "bound", "needle", "guard_pages", ...
  std::string outcome;  // "pass", "fail", "suspicious", "not_applicable", "leaks"
  std::string detail;
};
struct Verification {
  double max_abs_error = 0;
  double error_over_bound = 0;
  std::optional<double> error_over_probabilistic_bound, max_ulp, bias_z, nmse, resolving_power;
  std::optional<Worst> worst;
  std::vector<Check> checks;
  // What other projects' acceptance tests would say of the same outputs, by name: true = accepted.
  // Empty unless asked for.
  std::vector<std::pair<std::string, bool>> rules;
  // Where the output is beyond its bound; else empty.
  std::string inferred_contract;  // "behaves as tf32", "no arithmetic explains it"
  std::string deviation;          // which of the compared elements: "from row 64 on"
};
struct Timing {
  std::string timer = "wall";  // or "device"
  // One entry per round, same order and length.
  std::vector<double> samples_seconds;       // a call, by the timer
  std::vector<double> wall_samples_seconds;  // a call, by the wall clock
  std::vector<double> cpu_samples_seconds;   // a call, CPU time of the whole worker process
  // A call, by the device's own clock, 0 = unknown; absent where it has none.
  std::optional<std::vector<double>> device_samples_seconds;
  std::vector<uint64_t> iterations;  // calls
  // Context switches of the worker during all rounds; absent where nobody counted.
  std::optional<uint64_t> voluntary_switches, involuntary_switches;
  // Filled by Summarize (statistics.h).
  double median_seconds = 0, p20_seconds = 0, p80_seconds = 0, min_seconds = 0;
  double spread = 0;            // (p80 - p20) / median
  std::optional<double> drift;  // later half of the rounds: its median over the earlier's, less 1
  uint64_t outliers = 0;        // rounds beyond Tukey's fences
  std::optional<double> cpus_used;  // median over rounds of CPU time over wall time
  bool noisy = false;
  std::string noise_reason;
};
struct Rates {
  double flops_per_second = 0, bytes_per_second = 0;
  std::optional<double>
      fraction_of_ceiling;  // of FLOP/s, or of bytes/s where MemoryBound (statistics.h)
  std::string ceiling;      // the name of that ceiling; "" = none measured
};
// How many times as fast a result is as the same backend and variant with the fewest threads.
struct Scaling {
  int from_threads = 1;             // the fewest
  double ratio = 0;                 // median over rounds, paired within each
  std::optional<double> low, high;  // of its 95 % interval; absent where rounds are too few
  double efficiency = 0;            // ratio over threads / from_threads
  uint64_t rounds = 0;              // that both have
};
// The smallest problem found on which a failed result fails in the same way.
struct Smallest {
  std::string cell;      // its id
  std::string reason;    // of its failure
  bool minimal = false;  // nothing one step smaller fails; false: the search was cut short
  uint64_t tries = 0;    // problems verified to find it
  double seconds = 0;    // that took
};
struct Result {
  std::string backend, variant;
  uint32_t device = 0;
  std::optional<int> threads;  // that a host backend was given; absent for other devices
  std::string implementation;
  Verdict verdict = Verdict::kError;
  std::string reason;
  std::string reproduce;           // one command that shows the failure, of the smallest problem
  std::string reproduce_original;  // of the cell itself, where `reproduce` is of a smaller one
  std::optional<Smallest> smallest;
  std::optional<Verification> verification;
  std::optional<Timing> timing;
  std::optional<Rates> rates;
  std::optional<Scaling> scaling;
  std::optional<uint64_t> peak_memory_bytes, workspace_bytes, device_bytes;
  std::optional<double> setup_seconds;
};
// A figure of Ceiling as it was in each round, measured beside the results.
struct RoundCeiling {
  std::string figure;            // the one that limits the cell: kFmaFigure, ... (statistics.h)
  int threads = 0;               // those of the run
  uint64_t footprint_bytes = 0;  // that was read; 0 for arithmetic
  std::vector<double> samples;   // per second
  double median = 0;
};
struct CellRecord {
  std::string id;
  Cell cell;
  double flops = 0, flops_unmasked = 0, bytes_min = 0;
  int64_t rows_checked = 0, rows_total = 0;
  std::optional<RoundCeiling> ceiling;  // of the CPU
  std::string
      agreement;  // who deviates from the reference and where, in one sentence; empty = none
  std::vector<Result> results;
};

struct VerdictCounts {
  std::string label;                             // "onednn:flash@1"
  std::array<uint64_t, kVerdictCount> counts{};  // indexed by Verdict
};
struct Summary {
  std::vector<VerdictCounts> per_label;
  std::array<uint64_t, kVerdictCount> counts{};
  uint64_t cells = 0, results = 0;
  uint64_t verified = 0;  // pass + suspicious
  uint64_t failed = 0;    // fail + vacuous + error + timeout + crash
  double duration_seconds = 0, verification_seconds = 0;
};

// ---- the studies ----
// Of a suite study-*: what a rule of attention does, in figures of what one backend gave.
struct StudyRow {
  std::string cell;                                     // its id
  std::string category, series;                         // where it stands in the chart
  std::vector<std::pair<std::string, double>> figures;  // none where the backend gave nothing
  Verdict verdict = Verdict::kUnsupported;
  std::string reason;
};
struct Study {
  std::string name, backend;  // "scale", ...; label
  std::string sentence;       // what the figures show, with the figures
  std::vector<StudyRow> rows;
};

struct Report {
  std::string date;  // ISO 8601 with offset, when the run began
  Machine machine;
  Build build;
  Policy policy;
  std::vector<Ceiling> ceilings;
  std::vector<Backend> backends;
  std::vector<CellRecord> cells;
  std::vector<Study> studies;  // of the sweeps of suites study-* alone
  Summary summary;
  bool complete = true;  // false: interrupted, what was finished is here
};

// "pass", "suspicious", ... and back. FromName throws std::invalid_argument naming the word.
std::string_view VerdictName(Verdict verdict);
Verdict VerdictFromName(std::string_view name);
std::string_view BackendStateName(BackendState state);
BackendState BackendStateFromName(std::string_view name);
// pass and suspicious; only these publish a time.
bool IsVerified(Verdict verdict);
// fail, vacuous, error, timeout, crash: what makes a run's exit code 1.
bool IsFailure(Verdict verdict);

// ResultLabel of a result: "onednn:flash@1".
std::string LabelOf(const Result& result);
// Counts verdicts; the two durations are kept as they are.
void Summarize(const std::vector<CellRecord>& cells, Summary& summary);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_MODEL_H_
