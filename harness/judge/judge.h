// SPDX-License-Identifier: Apache-2.0
//
// The judge: makes inputs, has every backend compute them in its own process, compares with the
// double-precision reference, times what is right. It never loads a plugin.
#ifndef ATTEST_HARNESS_JUDGE_JUDGE_H_
#define ATTEST_HARNESS_JUDGE_JUDGE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/core/cell.h"
#include "harness/core/given.h"
#include "harness/core/plugins.h"
#include "harness/judge/environment.h"
#include "harness/report/model.h"

namespace attest::judge {

struct Settings {
  std::string worker_path;          // attest-worker
  std::vector<PluginFile> plugins;  // from FindPlugins
  std::vector<std::string>
      patterns;             // --backend: "eigen", "onednn:flash", "opencl:*@1"; empty = everything
  bool with_peers = false;  // empty patterns mean also what is used on request only
  std::vector<Cell> cells;
  std::vector<Given> given;  // one for each cell, in place of its data kind; or none at all
  uint64_t seed = 1;
  unsigned threads = 1;
  unsigned cpus = 0;                    // that may be used; 0 = not known
  std::vector<unsigned> fewer_threads;  // that host backends are started with, too
  bool fixed_threads = false;           // somebody asked for that many
  int rounds = 12;
  double min_time_seconds = 0.03;
  double timeout_seconds = 60;
  double max_cell_seconds = 4;
  uint64_t ceiling_bytes = uint64_t{512} << 20;  // that are read for the ceilings beside the sweep:
                                                 // beyond most last-level caches
  double oracle_budget = 4e9;  // multiply-adds a cell, those of the bounds included
  bool measure = true;         // false: verify only
  bool all_checks = false;     // masked NaN, independence and metamorphic relations, too
  bool every_check = false;    // examine on after a failure, to learn which checks see it
  bool cold_cache = false;
  bool compare_rules = false;  // also what other projects' tests would say: rules.h
  double shrink_seconds = 0;  // for a smaller problem of a failed result, after the sweep; 0 = none
  std::vector<std::string> backend_paths;  // folders of plugins that a command must name
  std::string cache_directory;             // for compiled programs; empty = none
  Environment environment;                 // of the workers, beside the judge's own
};

// Where the sweep stands; called from Run's own thread between steps.
struct Progress {
  size_t cell = 0, cells = 0;  // cell: index of the one in work
  std::string cell_id;
  std::string label;  // result in work, "" while the reference is computed
  double elapsed_seconds = 0, remaining_seconds = 0;  // remaining: an estimate, 0 = unknown
};

struct Hooks {
  std::function<void(const Progress&)> progress;                 // may be empty
  std::function<void(const report::CellRecord&)> cell_finished;  // the journal; may be empty
  std::function<void(const std::string&)> warning;  // plugins rejected, unavailable, ...
  std::function<bool()> stop;                       // true: finish now, keep what is done
};

// Every plugin's backend row: loaded, unavailable, or rejected with the reason. Starts a worker for
// each.
std::vector<report::Backend> ListBackends(const Settings& settings, const Hooks& hooks);

struct Outcome {
  std::vector<report::Backend> backends;
  std::vector<report::Ceiling> ceilings;
  std::vector<report::CellRecord> cells;
  double duration_seconds = 0;
  double verification_seconds =
      0;  // inputs, reference, bound, comparisons, checked calls; no plans
  bool interrupted = false;
};

// Runs the sweep. Throws std::runtime_error only where the suite itself cannot go on (no worker, no
// shared memory); whatever a backend does is a verdict. Throws std::invalid_argument for a pattern
// that no backend matches (with the nearest known name).
Outcome RunSweep(const Settings& settings, const Hooks& hooks);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_JUDGE_H_
