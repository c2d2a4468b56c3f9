// SPDX-License-Identifier: Apache-2.0
//
// A cell: one problem of a sweep with its data kind, and its stable name. Knows no backend.
#ifndef ATTEST_HARNESS_CORE_CELL_H_
#define ATTEST_HARNESS_CORE_CELL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "attest/abi.h"

namespace attest {

enum class Layout { kBnsh, kBsnh };

struct Cell {
  attest_problem problem{};
  Layout layout = Layout::kBnsh;
  std::string data = "normal";
  uint64_t seed = 1;
};

// sdpa f32, one batch entry and head, no mask, everything off; scale 0 means "not resolved yet".
attest_problem DefaultProblem();

// Fills the resolved scale (1/sqrt(head_size) where it is 0) and v_head_size (0 -> head_size). Throws
// std::invalid_argument with the field and the rule it breaks.
void ResolveProblem(attest_problem& problem);

// "sdpa", "f32", ... the words used in names, options and reports. Throws std::invalid_argument.
std::string_view OpName(int32_t op);
std::string_view DtypeName(int32_t dtype);
int32_t DtypeFromName(std::string_view name);
std::string_view FormatName(int32_t format);
std::string_view MaskName(int32_t mask);
std::string_view StructureName(int32_t structure);
std::string_view LayoutName(Layout layout);
// "top_left", "bottom_right", "past", or "" where the problem is not causal.
std::string_view CausalAlignment(const attest_problem& problem);
size_t DtypeBytes(int32_t dtype);

// "onednn:flash@1"; variant "" gives "naive", device 0 is not written.
std::string ResultLabel(std::string_view backend, std::string_view variant, uint32_t device);

// "sdpa/f32/b1/h12/kv12/q512/k512/d64" plus every field that is not at its default, in a fixed order:
// two different cells never share one.
std::string CellId(const Cell& cell);
// The benchmark's name: the label between op and dtype: "sdpa/onednn:flash/f32/...".
std::string BenchmarkName(const Cell& cell, std::string_view label);

// Descriptions (no data) of the tensors of a cell, in role order, inputs first.
std::vector<attest_tensor> DescribeTensors(const Cell& cell);
// Elements from the first to the last, by shape and strides; 0 for an empty shape.
int64_t ExtentElements(const attest_tensor& tensor);
bool IsOutput(int32_t role);
std::string_view RoleName(int32_t role);

struct Work {
  double flops = 0;           // 2 visible pairs (d + dv)
  double flops_unmasked = 0;  // 2 B H Lq Lk (d + dv)
  double bytes_min = 0;       // every input read once, every output written once
};

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_CELL_H_
