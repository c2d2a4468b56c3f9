// SPDX-License-Identifier: Apache-2.0
//
// Studies: what a rule of attention does, in figures of the weights and outputs that a real backend
// gave on the cells of a suite study-*, each judged like any cell.
#ifndef ATTEST_HARNESS_EXPLAIN_STUDY_H_
#define ATTEST_HARNESS_EXPLAIN_STUDY_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/explain/bar_chart.h"
#include "harness/judge/contender.h"

namespace attest::explain {

using report::Study;
using report::StudyRow;

// "pool", "scale", "tied"
std::vector<std::string> StudyNames();

// Throws std::invalid_argument for an unknown name, else as judge::CallCell does.
Study RunStudy(std::string_view name, judge::Contender& contender, uint64_t seed, unsigned threads);

std::string StudyText(const Study& study);  // at most 80 columns, table and sentence
std::string StudyJson(const Study& study);  // one object: study, backend, sentence, rows
BarChart ChartOf(const Study& study);

}  // namespace attest::explain

#endif  // ATTEST_HARNESS_EXPLAIN_STUDY_H_
