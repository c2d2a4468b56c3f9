// SPDX-License-Identifier: Apache-2.0
//
// How far the compared figures would scatter: a seeded bootstrap over rounds, and one over cells
// where a figure rests on several. All results of a cell take the same rounds, as they share what
// disturbs the machine in a round. The scatter of cells holds that of their rounds, so the two are
// not added: the larger one counts.
//
// Source: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 6 (standard errors).
#ifndef ATTEST_HARNESS_REPORT_COMPARE_BOOTSTRAP_H_
#define ATTEST_HARNESS_REPORT_COMPARE_BOOTSTRAP_H_

#include <optional>
#include <vector>

#include "harness/report/compare/drift.h"
#include "harness/report/compare/rounds.h"

namespace attest::report {

// One result that both sides measured. Its change is after - before, or, where the sides are paired
// round by round, the centre of `before` alone, which then holds the logarithms of the ratios.
struct Compared {
  DriftControl::Place place;
  size_t label = 0;
  Rounds before;
  std::optional<Rounds> after;

  double Change() const { return after ? after->Value() - before.Value() : before.Value(); }
};

struct Scatter {
  std::vector<double> of_result;  // standard errors, without drift where there is a control
  std::vector<double> of_label;   // of the mean over the label's cells
};

// `changes` are those of the results, without drift where there is a control. `control` is nullptr
// where drift is to stay. Labels are numbered from 0 to labels - 1.
Scatter Bootstrap(const std::vector<Compared>& results, const std::vector<double>& changes,
                  size_t labels, const DriftControl* control, size_t replicates, uint64_t seed);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_COMPARE_BOOTSTRAP_H_
