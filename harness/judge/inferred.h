// SPDX-License-Identifier: Apache-2.0
//
// Which arithmetic an output beyond its bound would fit: a contract coarser than the declared one,
// tried from the finest formats to the coarsest. It says of what size the errors are, not what
// caused them: a wrong scale may be as small as a rounding. No verdict rests on it.
#ifndef ATTEST_HARNESS_JUDGE_INFERRED_H_
#define ATTEST_HARNESS_JUDGE_INFERRED_H_

#include <string>
#include <vector>

#include "harness/judge/compare.h"

namespace attest::judge {

struct Fit {
  std::string name;              // "tf32"
  reference::Rounding rounding;  // the declared one, coarsened
  double error_over_bound = 0;   // greatest under it: of Bp on random data, else of B
};

// Every coarser arithmetic that explains OUT of that input set, the finest first; empty: none does.
// Rows within the declared bound are within every wider one, so only rows beyond it are
// judged again: those furthest beyond it, as many as the oracle solves in about a second. A bound
// that is wide against the values that the rows can take explains nothing.
std::vector<Fit> FindFits(const CellData& data, int set, size_t rounding, const attest_tensor& out);

// "behaves as tf32", and what is said where nothing fits.
std::string BehavesAs(const std::string& name);
inline constexpr const char* kUnexplained = "no arithmetic explains it";
// Where no exact probe applies to that arithmetic, so that a wrong structure is not ruled out.
std::string MayBehaveAs(const std::string& name);
bool IsCertain(const std::string& text);  // the first of the three

// What can be said once the same result was judged on a smaller problem, too, where bounds are
// tighter: the coarser of the two, if it is explained there.
std::string Confirmed(const std::string& text, const std::string& on_smaller);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_INFERRED_H_
