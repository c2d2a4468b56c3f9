// SPDX-License-Identifier: Apache-2.0
//
// What a comparison says: plain values, with no JSON and no text layout. Ratios are of times, after
// over before: 1.03 is 3 % slower.
#ifndef ATTEST_HARNESS_REPORT_COMPARE_COMPARISON_H_
#define ATTEST_HARNESS_REPORT_COMPARE_COMPARISON_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "harness/report/model.h"

namespace attest::report {

enum class Change { kFaster, kSlower, kSame, kUndecided };
std::string_view ChangeName(Change change);

struct Estimate {
  double ratio = 1;          // without the drift that is common to all backends
  double raw_ratio = 1;      // with it
  double low = 1, high = 1;  // of `ratio`, at the confidence of CompareOptions
  Change change = Change::kUndecided;
  std::string reason;  // why it is undecided; empty elsewhere
};

struct LabelChange {
  std::string label;
  size_t cells = 0;  // that the estimate rests on
  Estimate estimate;
};

struct CellChange {
  std::string cell, label;
  double before_seconds = 0, after_seconds = 0;  // medians
  size_t before_rounds = 0, after_rounds = 0;
  Estimate estimate;
  double mann_whitney_p = 1;  // of the times as they are
};

// A result that has a time before and none after.
struct LostResult {
  std::string cell, label;
  std::string verdict;  // "absent" where NEW has no such result
  std::string reason;
  bool failed = false;  // fail, vacuous, error, timeout, crash
};

// What all backends have in common: the machine's change.
struct Drift {
  std::string devices;  // "cpu", "gpu"
  double ratio = 1;
};

struct CompareOptions {
  double threshold = 0.03;       // of a backend's variant over all its cells
  double cell_threshold = 0.10;  // of a single cell
  bool remove_drift = true;
  uint64_t seed = 1;
  size_t replicates = 400;
  std::vector<std::string> patterns;  // labels; empty = all
};

struct Comparison {
  std::string before, after;  // how the two sides are called
  bool paired = false;        // both sides are of one report, round by round
  CompareOptions options;
  std::vector<Drift> drifts;        // of the kinds of devices where it can be told
  std::vector<LabelChange> labels;  // alphabetical
  std::vector<CellChange> cells;    // the slowest first, then the undecided, as in `Order`
  std::vector<LostResult> lost;     // failed ones first
  std::vector<std::string> notes;
};

// A label or a single cell is slower.
bool HasRegression(const Comparison& comparison);
// Something that was measured before fails now.
bool HasFailure(const Comparison& comparison);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_COMPARE_COMPARISON_H_
