// SPDX-License-Identifier: Apache-2.0
//
// What more threads bring: a result against that of the same backend with the fewest threads,
// measured in the same rounds. Compares within a cell of one run only; knows no other machine's or
// run's times, so it cannot mix them.
#ifndef ATTEST_HARNESS_REPORT_SCALING_H_
#define ATTEST_HARNESS_REPORT_SCALING_H_

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "harness/report/model.h"

namespace attest::report {

// Order statistics that hold the median of what the samples are drawn from with a probability of at
// least 95 %, whatever their distribution (Conover, Practical Nonparametric Statistics, section
// 3.2); nullopt for fewer than 6 samples, which cannot say that. Throws std::invalid_argument for a
// sample that is not finite.
std::optional<std::pair<double, double>> MedianInterval(std::span<const double> samples);

// Time with `from_threads` over time with `threads`, round by round; nullopt without a round that
// both have.
std::optional<Scaling> ScalingOf(const Timing& from, int from_threads, const Timing& result,
                                 int threads);

// Fills in the scaling of each result of a cell whose backend was started with fewer threads, too,
// where both are verified and measured.
void NoteScaling(std::vector<Result>& results);

// How many threads fewer than the run's the result was given, as its backend's name says ("cpu-1t":
// 1); 0: as many as the run's.
unsigned FewerThreads(const Result& result);
// The result's label without that: of "cpu-1t:flash" it is "cpu:flash".
std::string LabelOfAnyThreads(const Result& result);
// The cell's result that this one is to be compared with: of that label, "eigen:unfused", and with
// as many threads as `result`: a result of one thread is never held against one of two. nullptr:
// there is none.
const Result* BaselineOf(const CellRecord& cell, const std::string& label, const Result& result);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_SCALING_H_
