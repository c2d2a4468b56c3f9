// SPDX-License-Identifier: Apache-2.0
//
// Where an output deviates from the reference, in words, and who of a cell's results does. Only
// compared elements are spoken of.
#ifndef ATTEST_HARNESS_JUDGE_DEVIATION_H_
#define ATTEST_HARNESS_JUDGE_DEVIATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "harness/judge/contender.h"

namespace attest::judge {

// Which of the indices `checked` are `wrong` (both ascending, wrong a part of checked): "in row 5",
// "from row 64 on", "up to row 3", "in rows 16 to 31", "in every 64th row from row 63 on", "in 17
// of 100 rows, the first is row 3". All: "".
std::string DescribeIndices(const std::string& noun, const std::string& nouns,
                            const std::vector<int64_t>& wrong, const std::vector<int64_t>& checked);

// Batch entries, heads, rows and columns of OUT beyond the bound; "everywhere" where each has some;
// "" where no element is.
std::string DescribeDeviation(const CellData& data, int set, size_t rounding,
                              const attest_tensor& out);

// Whether more than half of the compared rows have an element beyond the bound.
bool MostRowsDeviate(const CellData& data, int set, size_t rounding, const attest_tensor& out);

// The elements of OUT that are compared, [rows, v_head_size]; empty where they are too many to
// keep.
std::vector<double> ComparedValues(const CellData& data, int set, const attest_tensor& out);
// Whether at least two entries deviate, and all that do are within their bounds of each other: then
// it may be the reference that means something else.
bool DeviateAlike(const CellData& data, const std::vector<Entry>& entries);

// "3 agree with the reference, 1 (stub:x) deviates from row 64 on"; "" where none deviates.
std::string DescribeAgreement(const std::vector<report::Result>& results, bool alike);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_DEVIATION_H_
