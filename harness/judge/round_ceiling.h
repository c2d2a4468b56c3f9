// SPDX-License-Identifier: Apache-2.0
//
// The CPU's ceiling that limits a cell, measured in every round beside the results: what else the
// machine does, and its clock, are then the same for both, and their ratio means something where a
// ceiling that was measured once, at the best of moments, would not.
#ifndef ATTEST_HARNESS_JUDGE_ROUND_CEILING_H_
#define ATTEST_HARNESS_JUDGE_ROUND_CEILING_H_

#include <memory>
#include <optional>

#include "harness/judge/backends.h"
#include "harness/judge/worker_process.h"

namespace attest::judge {

class RoundCeiling {
 public:
  explicit RoundCeiling(const Settings& settings);

  // The next samples are for that cell; `cpu` says which figure limits it, with reads over as many
  // bytes as the cell has, which are measured here. nullptr: none are taken.
  void Begin(const report::CellRecord& cell, const report::Ceiling* cpu);
  // Whether the rate of reading limits the cell.
  bool IsOfReads() const;
  // One sample, as long as a round of a result. A worker that is lost ends the samples of the cell.
  void Sample();
  // The cell's samples; absent where there are none.
  std::optional<report::RoundCeiling> End();

 private:
  bool Start();
  // What `now_` asks for; absent where the worker is lost.
  std::optional<double> Measure();

  const Settings& settings_;
  std::unique_ptr<WorkerProcess> worker_;
  std::optional<report::RoundCeiling> now_;
};

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_ROUND_CEILING_H_
